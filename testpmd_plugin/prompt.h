// prompt.h: the commands `analytics ...` of testpmd's prompt. Only prompt.c and host.c know cmdline.
// SPDX-License-Identifier: MIT
#pragma once

struct cmdline_inst;

// The commands, ending with NULL, for good; NULL when the process has no cmdline library, or without memory.
struct cmdline_inst *const *prompt_commands(void);
