/*
 * What logind knows that a reboot has to mind: inhibitors; sessions.h has who is logged in.
 */
#pragma once

#include "base/reboot.h"
#include "base/text.h"

#define LOGIN_TEXT_MAX 256

/* The calls; handler gets the reply. */
int login_list_inhibitors_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                                void *userdata) _must_check_;

/* The same for command line tools; block. The caller unrefs *ret. */
int login_list_inhibitors(sd_bus *bus, sd_bus_error *error, sd_bus_message **ret) _must_check_;

/*
 * Reads the reply: how many inhibitors block a shutdown, the first of them as "who (why)" in *text.
 * -EBADMSG when it is of another form, the error of the call when it is one. Delaying inhibitors do
 * not count, logind itself waits for these.
 */
int login_read_inhibitors(sd_bus_message *reply, size_t *ret_blocking,
                          char text[static LOGIN_TEXT_MAX]) _must_check_;

/* Adds foreign text to what is there, as far as it fits. */
void login_text_append(char text[static LOGIN_TEXT_MAX], const char *separator, const char *more);

/* Enters the array of a reply: the call's error, or -EBADMSG when it has none of these. */
int login_reply_enter(sd_bus_message *reply, const char *contents) _must_check_;
