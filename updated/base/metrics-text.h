/*
 * The text that Prometheus reads (node_exporter's textfile collector), metric by metric. The file is replaced as a
 * whole, so that no collector reads half of it.
 */
#pragma once

#include "base/buffer.h"

#define METRICS_TEXT_MAX (64 * KIB)

/* Help and type of a metric; its samples follow. type: "gauge" or "counter". */
int metrics_head(Buffer *text, const char *name, const char *type, const char *help) _must_check_;

/* A gauge with one sample. */
int metrics_gauge(Buffer *text, const char *name, const char *help, uint64_t value) _must_check_;

/* The same of a time in seconds since 1970; 0 is left out: 1970 would be a lie that looks like an alarm. */
int metrics_time(Buffer *text, const char *name, const char *help, uint64_t time) _must_check_;

/* name="value" of a label, with its value written as it must be. */
int metrics_label(Buffer *text, const char *name, const char *value) _must_check_;

/* Writes the file; anybody may read it. */
int metrics_file_write(const char *root, const char *path, const char *text) _must_check_;
