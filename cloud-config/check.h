/*
 * The checks of single values (schema.h: Key.check): each accepts what the consumer of the value accepts and what
 * all readers of its file read alike. They return 0, -EBADMSG after a finding, or -ENOMEM.
 */
#pragma once

#include "cloud-config/schema.h"

/* Windows shorter than this are met by chance only. */
#define CHECK_WINDOW_SHORT (1 * 60 * UINT64_C(1000000)) /* µs */

int check_nothing(Candidate *candidate) _must_check_;
int check_group(Candidate *candidate) _must_check_;
int check_strategy(Candidate *candidate) _must_check_;
int check_server(Candidate *candidate) _must_check_;
int check_endpoints(Candidate *candidate) _must_check_;
int check_etcd_address(Candidate *candidate) _must_check_;
int check_path(Candidate *candidate) _must_check_;
int check_username(Candidate *candidate) _must_check_;
int check_lock_group(Candidate *candidate) _must_check_;
int check_window_start(Candidate *candidate) _must_check_;
int check_window_length(Candidate *candidate) _must_check_;
