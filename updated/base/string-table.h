/*
 * Enumerations and their words from one table. The enumeration has values 0 … NOUN_MAX - 1 and
 * NOUN_INVALID = -EINVAL.
 */
#pragma once

#include "base/macros.h"

#define DECLARE_STRING_TABLE(name, type)          \
        const char *name##_to_string(type value); \
        type name##_from_string(const char *text)

/* Defines both directions over "static const char *const name_table[NOUN_MAX]". */
#define DEFINE_STRING_TABLE(name, type)                                                      \
        const char *name##_to_string(type value)                                             \
        {                                                                                    \
                int i = (int)value;                                                          \
                return i < 0 || i >= (int)ELEMENTSOF(name##_table) ? NULL : name##_table[i]; \
        }                                                                                    \
        type name##_from_string(const char *text)                                            \
        {                                                                                    \
                for (int i = 0; i < (int)ELEMENTSOF(name##_table); i++)                      \
                        if (name##_table[i] && streq(name##_table[i], text))                 \
                                return (type)i;                                              \
                return (type)-EINVAL;                                                        \
        }                                                                                    \
        struct string_table_semicolon_eater
