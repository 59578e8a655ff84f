// message_undef.h: ends one expansion of messages.def. Included again and again, so no #pragma once.
// SPDX-License-Identifier: MIT
#undef MESSAGE
#undef ID
#undef TEXT
#undef FLAG
#undef NUMBER
#undef TIME
#undef COUNT
#undef REAL
#undef CHOICE
#undef LIST
#undef ONE
#undef TEXTS
#undef ROWS
#undef POINTS
#undef FLAGS
#undef END
