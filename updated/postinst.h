/*
 * Who has a say before a new slot may boot: the postinst of its image, then the administrator's programs in
 * post-install.d. updated-postinst runs each of them, with the slot mounted read-only.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/text.h"
#include "base/time-util.h"
#include "omaha-error.h"
#include "transport.h"

#define HOOKS_POST_INSTALL "/etc/sluice/post-install.d"

#define POSTINST_STATUS_FIRMWARE 3 /* of an image's postinst: booted from the second firmware */

typedef struct Postinst Postinst;

/* Borrowed during the call, root for as long as it runs. */
typedef struct PostinstRequest {
        const char *root;
        const char *program; /* path of updated-postinst */
        int slot_fd;         /* the caller's; must stay open */
        uint64_t slot_offset, slot_size;
        const char *device;                    /* what programs are told the slot is */
        const char *slot, *version, *previous; /* its name, what is in it, and what runs; "" */
        const Transport *transport;            /* for its proxy */
        bool own;                              /* run the image's own, not only the hooks */
        usec_t time_limit;                     /* of each */
        /* error 0: nobody objects; else *failure says who, and why. Frees nothing: postinst_cancel() does. */
        void (*on_end)(int error, const UpdateFailure *failure, void *userdata);
        void *userdata;
} PostinstRequest;

/* The callback comes from the event loop, never from inside this call. */
int postinst_start(sd_event *event, const PostinstRequest *request, Postinst **ret) _must_check_;

/* Kills what runs, without calling back. Returns NULL; NULL is fine. Not from inside on_end(). */
Postinst *postinst_cancel(Postinst *postinst);
DEFINE_CLEANUP(Postinst *, postinst_cancel);

/*
 * Variables with the proxy as the settings have it, or as our own environment does: in both cases, as programs look
 * for either. ret is ended by NULL.
 */
int proxy_environment(const Transport *transport, TextList *ret) _must_check_;
