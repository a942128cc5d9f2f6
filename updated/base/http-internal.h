/*
 * What http.c (curl's transfers on the event loop) and http-transfer.c (one transfer) share; for nobody else.
 */
#pragma once

#include <curl/curl.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/http.h"

struct HttpRequest {
        Http *http;
        CURL *easy;
        struct curl_slist *headers;
        Buffer body;
        Buffer header_bytes;
        size_t size_max;
        size_t received;
        HttpResult result;
        char *etag, *content_range, *content_type, *wanted, *wanted_header;
        char detail[CURL_ERROR_SIZE];
        HttpOnData on_data;
        HttpOnDone on_done;
        void *userdata;
        bool cancelled; /* from inside curl: the reaper frees it */
        LIST_ENTRY(HttpRequest) entries;
};

struct Http {
        sd_event *event;
        sd_event_source *timer;  /* when curl wants to be called again */
        sd_event_source *reaper; /* collects finished transfers outside of curl's callbacks */
        CURLM *multi;
        bool in_curl; /* curl is calling us: it must not be called now */
        LIST_HEAD(, HttpRequest) requests;
};

/* A transfer that is not begun yet: everything of p is copied. */
int http_request_new(const HttpParameters *p, HttpRequest **ret) _must_check_;

/* Takes it out of curl and out of the list, wherever it is, without calling back. */
HttpRequest *http_request_free(HttpRequest *request);
DEFINE_CLEANUP(HttpRequest *, http_request_free);

/* Calls back and frees. The owner may start or cancel requests from its callback, and even let go of all. */
void http_request_finish(HttpRequest *request, CURLcode code);
