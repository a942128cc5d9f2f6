#include "payload/tool-seal.h"
#include "base/io.h"
#include "base/log.h"

static int seal_finish(const SignatureList *list, const char *path, OutputFile *output)
{
        _cleanup_(buffer_done) Buffer message = BUFFER_MAX(SIGNATURES_SIZE_MAX);
        int r = 0;

        if (list->n_items > 0)
                r = signature_list_write(list, &message);
        if (r >= 0 && message.size > 0)
                r = write_full(output->fd, message.data, message.size);
        if (r >= 0)
                r = output_file_commit(output);
        return r < 0 ? log_error_errno(r, "writing %s: %m", path) : 0;
}

int tool_seal_with(const PayloadParts *parts, const SignatureList *list, const char *path,
                   OutputFile *output)
{
        uint8_t sha256[SHA256_SIZE];
        int r;

        r = payload_seal(parts, list, output->fd, sha256);
        if (r < 0)
                return log_error_errno(r, "writing %s: %m", path);

        return seal_finish(list, path, output);
}

int tool_seal(const PayloadParts *parts, const PrivateKeys *keys, const char *path,
              OutputFile *output)
{
        _cleanup_(signature_list_done) SignatureList list = {};
        uint8_t sha256[SHA256_SIZE];
        int r;

        list.items = calloc(keys->n_items + 1, sizeof(*list.items));
        if (!list.items)
                return log_error_errno(-ENOMEM, "writing %s: %m", path);
        for (list.n_items = 0; list.n_items < keys->n_items; list.n_items++)
                list.items[list.n_items].size =
                        private_key_signature_size(keys->items[list.n_items]);

        /* The sizes are part of what is signed, so they come first. */
        r = payload_seal(parts, &list, output->fd, sha256);
        for (size_t i = 0; i < keys->n_items && r >= 0; i++)
                r = private_key_sign(keys->items[i], sha256, &list.items[i]);
        if (r < 0)
                return log_error_errno(r, "writing %s: %m", path);

        return seal_finish(&list, path, output);
}
