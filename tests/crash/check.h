/*
 * What the test itself relies on: a program that can not go on says where, and ends.
 */
#pragma once

#include <stdio.h>

#include "base/macros.h"

#define CHECK(condition)                                                                    \
        do {                                                                                \
                if (!(condition)) {                                                         \
                        printf("Bail out! %s:%d: %s: %s\n", __FILE__, __LINE__, #condition, \
                               strerror(errno));                                            \
                        exit(EXIT_FAILURE);                                                 \
                }                                                                           \
        } while (false)
