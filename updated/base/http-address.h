/*
 * Where a server listens, and the names under which clients reach it.
 */
#pragma once

#include "base/macros.h"

/* Clients that wait to be accepted. */
#define ADDRESS_BACKLOG 128

/*
 * Opens a listening TCP socket on "ADDRESS:PORT": a numeric address, IPv6 in brackets; port 0: any
 * free one. ret_shown, which the caller frees, is the address it got, as a URL has it. Returns an
 * fd or -errno; -EINVAL: the text is no such address.
 */
int address_listen(const char *text, char **ret_shown) _must_check_;

/*
 * Is text what a Host header may say: name, IPv4 or [IPv6], then perhaps a port? Nothing that XML
 * or a log minds.
 */
bool address_host_is_valid(const char *text);
