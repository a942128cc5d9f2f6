/*
 * How update-engine-client prints what it knows: for people, for scripts (JSON), and as the original did.
 */
#pragma once

#include <jansson.h>

#include "client-details.h"

/* For people. */
void client_show_details(const ClientDetails *details);
void client_show_slots(const UpdateSlots *slots, const char *chooser);
void client_show_report(const UpdateReport *report); /* one line */

/* Prints the one document that was asked for, on one line. Takes the value over; NULL is -ENOMEM. */
int client_answer_json(json_t *value) _must_check_;

/* One JSON object, on one line. -ENOMEM. A report is one of several: no answer. */
int client_show_details_json(const ClientDetails *details) _must_check_;
int client_show_slots_json(const UpdateSlots *slots) _must_check_;
int client_show_report_json(const UpdateReport *report) _must_check_;

/* The five lines of -status on standard output, and the six of -watch_for_updates on standard error. */
void client_show_report_classic(const UpdateReport *report);
void client_show_signal_classic(const UpdateReport *report);
