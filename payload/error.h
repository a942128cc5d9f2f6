/*
 * How the parts of the engine say why: they fill the PayloadError of the caller and return the
 * number.
 */
#pragma once

#include "payload/payload.h"

/* The payload is at fault. Replaces *error (may be NULL); returns -EBADMSG. */
int payload_refuse(PayloadError *error, PayloadRefusal refusal, const char *format, ...)
        _printf_(3, 4);

/* The system is at fault: appends ": " and the words for code (-errno). Returns code. */
int payload_fail(PayloadError *error, PayloadRefusal refusal, int code, const char *format, ...)
        _printf_(4, 5);

/* Puts "where: " in front of the text, to say where in the payload it happened. */
void payload_error_locate(PayloadError *error, const char *format, ...) _printf_(2, 3);
