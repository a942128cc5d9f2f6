/*
 * The administrator's programs in notify.d: told of a reboot that begins, that is over, and of a host that has not come
 * back. They inform somebody, they decide nothing: one that fails or hangs keeps nothing up for long.
 */
#pragma once

#include "base/hooks.h"
#include "settings.h"

#define NOTIFY_DIRECTORY "/etc/sluice/notify.d"
#define NOTIFY_TIME      (30 * USEC_PER_SEC) /* for each program */

typedef enum NotifyEvent {
        NOTIFY_START, /* this host goes down now */
        NOTIFY_BACK,  /* it is back, and well */
        NOTIFY_LATE,  /* another host has not come back */
        _NOTIFY_EVENT_MAX,
} NotifyEvent;

/* settings is borrowed for as long as they run, the texts during the call. */
typedef struct NotifyRequest {
        const Settings *settings;
        NotifyEvent event;
        const char *version, *reason;                     /* NULL is as good as "" */
        void (*on_done)(const char *why, void *userdata); /* why: which failed; NULL: none */
        void *userdata;
} NotifyRequest;

/* Callbacks come from the event loop, never from inside this call. */
int notify_start(sd_event *event, const NotifyRequest *request, Hooks **ret) _must_check_;
