/*
 * A short answer of the server: status and a body in memory.
 */
#pragma once

#include <microhttpd.h>

#include "base/macros.h"

typedef struct Reply {
        unsigned status;
        const char *type;  /* static */
        const char *allow; /* static: the Allow header, or NULL */
        char *body;        /* owned */
        size_t size;
} Reply;

/* Fills a reply with one line of text, to which a newline is added. */
int reply_text(Reply *reply, unsigned status, const char *format, ...) _must_check_ _printf_(3, 4);

/* Queues the reply. MHD_NO: it could not be, the connection is to be dropped. */
enum MHD_Result reply_queue(Reply *reply, struct MHD_Connection *connection);

void reply_done(Reply *reply);
