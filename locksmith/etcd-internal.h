/*
 * What etcd.c and etcd-watch.c share; for nobody else.
 */
#pragma once

#include "etcd.h"

struct Etcd {
        Http *http; /* borrowed */
        const EtcdSettings *settings;
        EtcdApi api;
        size_t current; /* the endpoint that is asked first */
        char *token;    /* of the user, or NULL: none fetched yet */
        EtcdCall *sent; /* of etcd_send(): the last one */
        bool reached;   /* somebody was there, whatever they said */
};

typedef struct EtcdPost {
        const char *path, *body;
        HttpOnData on_data; /* of a stream, or NULL for one answer */
        HttpOnDone on_done;
        void *userdata;
} EtcdPost;

/* Posts to the current endpoint, with token and the headers that etcd wants. */
int etcd_post(Etcd *etcd, const EtcdPost *post, HttpRequest **ret) _must_check_;

const char *etcd_endpoint(const Etcd *etcd);

/* Sends a message of the v2 API to the current endpoint. */
int etcd_v2_post(Etcd *etcd, const EtcdV2Message *message, HttpOnDone on_done, void *userdata,
                 HttpRequest **ret) _must_check_;

/* Is this an answer of the v2 API, if only "no"? */
bool etcd_v2_answered(const HttpResult *result);

/* Why an HTTP request failed, for people, with a hint where there is one. */
void etcd_failure_text(const Etcd *etcd, const HttpResult *result, char why[static ETCD_WHY_MAX]);
