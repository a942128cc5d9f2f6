/*
 * What a client is told: the decision, pure, and the XML that carries it.
 */
#pragma once

#include "base/time-util.h"
#include "serve-catalogue.h"
#include "serve-request.h"

#define ANSWER_SIZE_MAX ((size_t)(1 * MIB))

typedef struct Answer {
        const char *app_status;        /* "ok" or "error-…", the words of go-omaha and Nebraska */
        const char *check_status;      /* "ok", "noupdate", "error-…"; NULL: none was asked for */
        const CataloguePayload *offer; /* with check_status "ok": borrowed from the catalogue */
        bool known;                    /* the app is: its pings and events are answered too */
} Answer;

/* Decides what an app gets. Texts are static. */
Answer answer_decide(const Catalogue *catalogue, const RequestApp *app);

/*
 * Writes the whole response; answers has one item for each app of the request. codebase is the URL
 * in front of the names of payloads and ends with a slash. The caller frees *ret.
 */
int answer_format(const Request *request, const Answer *answers, const char *codebase, usec_t now,
                  char **ret, size_t *ret_size) _must_check_;
