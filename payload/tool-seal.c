#include "payload/tool-seal.h"
#include "base/io.h"
#include "base/log.h"
#include "payload/digest.h"

static int write_failed(int r, const char *path)
{
        return log_error_errno(r, "writing %s: %m", path);
}

/*
 * Writes everything up to the signatures at the end; *ret_sha256 is what they are to be made
 * over.
 */
static int seal_begin(const PayloadParts *parts, const Buffer *metadata,
                      const SignatureList *metadata_list, OutputFile *output,
                      uint8_t ret_sha256[static SHA256_SIZE])
{
        _cleanup_(buffer_done) Buffer message = BUFFER_MAX(SIGNATURES_SIZE_MAX);
        int r = 0;

        if (parts->version == HEADER_VERSION_2 && metadata_list->n_items > 0)
                r = signature_list_write(parts->version, metadata_list, &message);
        if (r < 0)
                return r;

        return seal_payload(parts, metadata, &message, output->fd, ret_sha256);
}

static int seal_end(const PayloadParts *parts, const SignatureList *list, OutputFile *output)
{
        _cleanup_(buffer_done) Buffer message = BUFFER_MAX(SIGNATURES_SIZE_MAX);
        int r = 0;

        if (list->n_items > 0)
                r = signature_list_write(parts->version, list, &message);
        if (r >= 0 && message.size > 0)
                r = write_full(output->fd, message.data, message.size);
        if (r < 0)
                return r;

        return output_file_commit(output);
}

int tool_seal_with(const PayloadParts *parts, const SignatureList *list,
                   const SignatureList *metadata_list, const char *path, OutputFile *output)
{
        _cleanup_(buffer_done) Buffer metadata = BUFFER_MAX(MANIFEST_SIZE_MAX + HEADER_SIZE_MAX);
        uint8_t sha256[SHA256_SIZE];
        int r;

        r = seal_metadata(parts, list, &metadata);
        if (r >= 0)
                r = seal_begin(parts, &metadata, metadata_list, output, sha256);
        if (r >= 0)
                r = seal_end(parts, list, output);
        return r < 0 ? write_failed(r, path) : 0;
}

static int keys_sign(const PrivateKeys *keys, const uint8_t *sha256, SignatureList *list)
{
        int r = 0;

        for (size_t i = 0; i < keys->n_items && r >= 0; i++)
                r = private_key_sign(keys->items[i], sha256, &list->items[i]);
        return r;
}

/* The sizes are part of what is signed, so they come first; then the metadata, then all of it. */
static int seal_and_sign(const PayloadParts *parts, const PrivateKeys *keys, SignatureList *list,
                         OutputFile *output)
{
        _cleanup_(buffer_done) Buffer metadata = BUFFER_MAX(MANIFEST_SIZE_MAX + HEADER_SIZE_MAX);
        uint8_t sha256[SHA256_SIZE];
        int r;

        r = seal_metadata(parts, list, &metadata);
        if (r < 0)
                return r;
        r = digest_of(metadata.data, metadata.size, sha256);
        if (r < 0)
                return r;
        r = keys_sign(keys, sha256, list);
        if (r < 0)
                return r;
        r = seal_begin(parts, &metadata, list, output, sha256);
        if (r < 0)
                return r;
        r = keys_sign(keys, sha256, list);
        if (r < 0)
                return r;

        return seal_end(parts, list, output);
}

int tool_seal(const PayloadParts *parts, const PrivateKeys *keys, const char *path,
              OutputFile *output)
{
        _cleanup_(signature_list_done) SignatureList list = {};
        int r;

        list.items = calloc(keys->n_items + 1, sizeof(*list.items));
        if (!list.items)
                return write_failed(-ENOMEM, path);
        for (; list.n_items < keys->n_items; list.n_items++) {
                const PrivateKey *key = keys->items[list.n_items];

                if (parts->version == HEADER_VERSION_1 && !private_key_is_rsa(key))
                        return log_error_return(-EKEYREJECTED,
                                                "format v1 can only be signed with RSA keys");
                private_key_signature_begin(key, &list.items[list.n_items]);
        }

        r = seal_and_sign(parts, keys, &list, output);
        return r < 0 ? write_failed(r, path) : 0;
}
