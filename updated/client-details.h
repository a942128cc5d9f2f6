/*
 * Everything that update-engine-client shows, fetched at once: the report and the properties of Manager2.
 */
#pragma once

#include "client.h"

/* A setting of update.conf as the daemon uses it. */
typedef struct ClientSetting {
        char *name;   /* "SERVER" */
        char *value;  /* a URL without password */
        char *origin; /* a file and its line, or "default" */
} ClientSetting;

#define CLIENT_SETTINGS_MAX  16
#define CLIENT_ADDRESSES_MAX 64

typedef struct ClientDetails {
        UpdateReport report;
        UpdateSlots slots;
        char *running_version;
        char *channel;
        ClientSetting settings[CLIENT_SETTINGS_MAX];
        size_t n_settings;
        char *trial, *trial_text; /* of Manager2's property Trial; "" when what runs is good */
        int32_t error_code;       /* the Omaha number of the last failure, 0: none */
        char *error_text;         /* "" when there is none */
        uint64_t next_check;      /* seconds since 1970, 0: not planned */
        uint64_t bytes_done, bytes_total, speed, time_left; /* of the download; s and bytes/s */
        uint64_t rounds, not_before; /* failed rounds through the offer's addresses; s since 1970 */
        uint32_t failures[CLIENT_ADDRESSES_MAX]; /* of each address in this round */
        size_t n_failures;
        bool paused; /* nothing is checked by schedule */
} ClientDetails;

/* Blocks. error tells why it failed. */
int client_details_get(sd_bus *bus, ClientDetails *ret, sd_bus_error *error) _must_check_;
void client_details_done(ClientDetails *details);

/* Only the boot chooser: "gpt", "grub"; "" when the slots can not be told. */
int client_chooser_get(sd_bus *bus, char **ret, sd_bus_error *error) _must_check_;

/* Only the last failure. */
int client_error_get(sd_bus *bus, int32_t *ret_code, char **ret_text,
                     sd_bus_error *error) _must_check_;
