/*
 * What a document asks for: plain checked data. And the way from the tree to it.
 */
#pragma once

#include "cloud-config/schema.h"

typedef struct Setting {
        char *value; /* owned; NULL: the document does not name it */
        Place place;
        bool derived; /* from another stanza */
} Setting;

typedef struct Settings {
        Setting items[_KEY_MAX];
} Settings;

/* The addresses for $private_ipv4 and the like; NULL where none is known. Borrowed. */
typedef enum AddressId {
        ADDRESS_PUBLIC_IPV4,
        ADDRESS_PRIVATE_IPV4,
        ADDRESS_PUBLIC_IPV6,
        ADDRESS_PRIVATE_IPV6,
        _ADDRESS_MAX,
} AddressId;

typedef struct Addresses {
        char *items[_ADDRESS_MAX]; /* owned */
} Addresses;

/*
 * Fills in the addresses that are not known yet from COREOS_PUBLIC_IPV4 and so on: the environment first, then
 * /etc/environment below root. They are not checked here. A file that is not there is fine.
 */
int addresses_read(const char *root, Addresses *addresses) _must_check_;
void addresses_done(Addresses *addresses);

/*
 * Replaces "$private_ipv4" and the other three in text; "\$private_ipv4" stands for itself.
 * Returns 0, -EBADMSG when an address is unset or no address (a finding says which), or -ENOMEM.
 */
int addresses_substitute(const Addresses *addresses, const char *text, Place place,
                         const char *path, Findings *findings, char **ret) _must_check_;

/*
 * Reads the settings of one tree on top of those that are there already (of an earlier part).
 * Findings tell what is wrong; returns 0, or -ENOMEM.
 */
int settings_read(Settings *settings, const Tree *tree, const Addresses *addresses,
                  Findings *findings) _must_check_;

/* Checks what concerns several keys at once, and derives endpoints. Returns 0, or -ENOMEM. */
int settings_check(Settings *settings, Findings *findings) _must_check_;

/* True when nothing is set. */
bool settings_are_empty(const Settings *settings);

void settings_done(Settings *settings);
