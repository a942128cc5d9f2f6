/*
 * The last word of a host before it goes down: its record says so, and keys with leases of etcd say
 * until when it is expected back, and until when nobody may free its slot. So the others need not
 * compare anybody's clock with theirs.
 */
#pragma once

#include "session.h"

/* The keys of a departure, as what a LockRequest that releases the lock removes. */
typedef struct DepartureSides {
        LockSide sides[2]; /* their keys are ours */
} DepartureSides;

/* The keys of the departure of this host from this group; the caller frees them. */
int departure_sides(const char *group, const char *id, DepartureSides *ret) _must_check_;
void departure_sides_done(DepartureSides *sides);

typedef struct Departure Departure;

/* why is NULL when it is written; else why not: then do not go. */
typedef void (*DepartureOnDone)(const char *why, void *userdata);

typedef struct DepartureRequest {
        Session *session; /* borrowed, and the settings, for as long as it lasts */
        const Settings *settings;
        const HolderName *of; /* NULL: this host */
        DepartureOnDone on_done;
        void *userdata;
} DepartureRequest;

/*
 * For a host that holds the lock, and a backend with clone(): others have no place for this.
 * Calls back from the event loop, never from here.
 */
int departure_start(const DepartureRequest *request, Departure **ret) _must_check_;
Departure *departure_cancel(Departure *departure); /* returns NULL; NULL is fine */
