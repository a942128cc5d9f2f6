/*
 * Puts a payload together and signs it, for those verbs that write one.
 */
#pragma once

#include "payload/output-file.h"
#include "payload/payload-tool.h"
#include "payload/seal.h"

/* Signs with the keys (none: an unsigned payload) and commits output. Logs. */
int tool_seal(const PayloadParts *parts, const PrivateKeys *keys, const char *path,
              OutputFile *output) _must_check_;

/* The same with signatures that were made elsewhere; those of the metadata are for version 2. */
int tool_seal_with(const PayloadParts *parts, const SignatureList *list,
                   const SignatureList *metadata_list, const char *path,
                   OutputFile *output) _must_check_;
