/*
 * The D-Bus interface of the update daemon as its clients see it: names, states, calls. Used by
 * update-engine-client and by locksmithd; the only header of updated/ that other directories may include.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"
#include "base/string-table.h"

#define UPDATE_BUS_NAME   "com.coreos.update1"
#define UPDATE_BUS_PATH   "/com/coreos/update1"
#define UPDATE_BUS_IFACE  "com.coreos.update1.Manager"
#define UPDATE_BUS_IFACE2 "com.coreos.update1.Manager2"

/* The words on the bus are the original engine's ("UPDATE_STATUS_IDLE", …): scripts compare them. */
typedef enum UpdateStatus {
        UPDATE_STATUS_IDLE,
        UPDATE_STATUS_CHECKING_FOR_UPDATE,
        UPDATE_STATUS_UPDATE_AVAILABLE,
        UPDATE_STATUS_DOWNLOADING,
        UPDATE_STATUS_VERIFYING,
        UPDATE_STATUS_FINALIZING,
        UPDATE_STATUS_UPDATED_NEED_REBOOT, /* until the reboot, or ResetStatus */
        UPDATE_STATUS_REPORTING_ERROR_EVENT,
        _UPDATE_STATUS_MAX,
        _UPDATE_STATUS_INVALID = -EINVAL,
} UpdateStatus;

DECLARE_STRING_TABLE(update_status, UpdateStatus);

/* What GetStatus returns and StatusUpdate carries: (x d s s x). */
typedef struct UpdateReport {
        int64_t last_checked; /* seconds since 1970 of the last answered check, 0: none yet */
        double progress;      /* 0 … 1, of the download */
        UpdateStatus status;  /* _UPDATE_STATUS_INVALID: a word this version does not know */
        char *new_version;    /* owned; "0.0.0" when there is none */
        int64_t new_size;     /* bytes of the payload */
} UpdateReport;

void update_report_done(UpdateReport *report);

/* Reads the arguments of a GetStatus reply or a StatusUpdate signal. -EBADMSG for another signature. */
int update_report_read(sd_bus_message *message, UpdateReport *ret) _must_check_;

/* Asks the daemon; blocks, for command line tools. error may be NULL. */
int update_client_get_status(sd_bus *bus, UpdateReport *ret, sd_bus_error *error) _must_check_;

/* Asks for a call without arguments: "AttemptUpdate", "ResetStatus". Blocks. */
int update_client_call(sd_bus *bus, const char *method, sd_bus_error *error) _must_check_;

/* The same of Manager2: "Cancel", "Rollback", "MarkGood", "Pause", "Resume". */
int update_client_call2(sd_bus *bus, const char *method, sd_bus_error *error) _must_check_;

/* The same as update_client_get_status(), for event loops: handler gets the reply. */
int update_client_get_status_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                                   void *userdata) _must_check_;

/* Calls handler for every StatusUpdate signal, whoever owns the name then: a restart of the daemon does not matter. */
int update_client_watch(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                        void *userdata) _must_check_;

/* One of the two slots of an A/B pair, as the properties Slots and Packages of Manager2 tell. */
typedef struct UpdateSlot {
        char *name;    /* "A", "B" */
        char *label;   /* of the partition: "USR-A" */
        char *version; /* what is installed there; "" when not known */
        uint64_t priority, tries;
        bool successful; /* good: a boot of it was healthy */
        bool running, target;
        char *packages; /* the images beside it: "oem-qemu, flatcar-podman"; "" */
} UpdateSlot;

typedef struct UpdateSlots {
        UpdateSlot *slots;
        size_t n_slots;
} UpdateSlots;

void update_slots_done(UpdateSlots *slots);

/* Blocks, for command line tools. */
int update_client_get_slots(sd_bus *bus, UpdateSlots *ret, sd_bus_error *error) _must_check_;

/*
 * Is the running slot marked good? The property RunningSlotGood of Manager2, for event loops: handler gets
 * the reply of org.freedesktop.DBus.Properties.Get (a variant holding a boolean).
 */
int update_client_get_good_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                                 void *userdata) _must_check_;
