// commands.h: the forms of the pathcomp command. Each takes its own arguments, argv[0] being "pathcomp
// NAME", and returns the exit status.
// SPDX-License-Identifier: MIT
#pragma once

int command_path(int argc, char **argv);
int command_batch(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_service(int argc, char **argv);
int command_topology(int argc, char **argv);
