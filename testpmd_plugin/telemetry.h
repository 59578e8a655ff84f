// telemetry.h: the plugin's state on the application's own telemetry socket: /linkcast/status and /linkcast/ports.
// SPDX-License-Identifier: MIT
#pragma once

// From the constructor, once. Nothing happens where the process has no telemetry library.
void telemetry_register(void);
