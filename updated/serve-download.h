/*
 * The answer to GET /payloads/NAME: the whole file or one range of it, as fast as the socket takes
 * it (sendfile) or at a set pace.
 */
#pragma once

#include <microhttpd.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "base/time-util.h"
#include "serve-catalogue.h"

/*
 * A slower pace would be taken for a dead connection by clients, and by the watch of
 * serve-connection.h.
 */
#define DOWNLOAD_RATE_MIN 1024

typedef struct Download Download;

/* The pace of all downloads, and those that pause to keep it. */
typedef struct Downloads {
        sd_event *event;             /* borrowed */
        uint64_t rate;               /* bytes/s of each connection; 0: no limit */
        void (*run)(void *userdata); /* called after a pause: MHD must be run then */
        void *userdata;
        LIST_HEAD(, Download) paused;
} Downloads;

/*
 * Queues the answer for a payload, whose file is fd; fd is taken over in any case. What MHD's
 * queueing returned is returned: MHD_NO drops the connection.
 */
enum MHD_Result download_answer(Downloads *downloads, struct MHD_Connection *connection,
                                const char *method, const CatalogueFile *file, int fd);

/* Lets every pausing download go on, as MHD demands before it is stopped. */
void downloads_resume_all(Downloads *downloads);
