#include "base/io.h"
#include "base/log.h"
#include "payload/digest.h"
#include "payload/payload-file.h"
#include "payload/tool-seal.h"

#define SIGNATURE_SIZE_DEFAULT 256 /* RSA with 2048 bits */

static TextList arg_keys;
static TextList arg_signatures;
static TextList arg_metadata_signatures;
static TextList arg_sizes;
static const char *arg_output;
static const char *arg_metadata_output;
static bool arg_json;

const Option sign_options[] = {
        { "key", 'k', OPTION_LIST, &arg_keys, "PRIVATE.pem", "sign with it; several are possible" },
        { "signature", 0, OPTION_LIST, &arg_signatures, "FILE",
          "a signature made elsewhere over the digest" },
        { "metadata-signature", 0, OPTION_LIST, &arg_metadata_signatures, "FILE",
          "the same over the digest of the metadata (v2)" },
        { "output", 'o', OPTION_TEXT, &arg_output, "FILE", "the signed payload" },
        { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON" },
        {},
};

const Option digest_options[] = {
        { "signature-size", 0, OPTION_LIST, &arg_sizes, "BYTES",
          "of each signature to come (256)" },
        { "output", 'o', OPTION_TEXT, &arg_output, "FILE", "write the 32 bytes into a file" },
        { "metadata-output", 0, OPTION_TEXT, &arg_metadata_output, "FILE",
          "those of the metadata too (v2)" },
        { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON" },
        {},
};

static int file_open(const char *path, PayloadFile *ret)
{
        PayloadError error = {};
        int r;

        r = payload_file_open(path, ret, &error);
        return r < 0 ? tool_refused(path, r, &error) : 0;
}

static PayloadParts file_parts(const PayloadFile *file)
{
        return (PayloadParts) {
                .version = file->header.version,
                .manifest = &file->manifest_data,
                .data_fd = file->fd,
                .data_offset = file->data_offset,
                .data_size = file->manifest->data_size,
        };
}

static int signature_read(const char *path, Signature *ret)
{
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = file_read(NULL, path, SIGNATURE_SIZE_MAX, &data, &size);
        if (r < 0)
                return log_error_errno(r, "%s: %m", path);
        if (size == 0)
                return log_error_return(-EBADMSG, "%s: it is empty", path);

        ret->size = size;
        memcpy(ret->data, data, size);
        return 0;
}

static int signatures_read(const TextList *paths, SignatureList *ret)
{
        int r;

        if (paths->n_items > SIGNATURES_MAX)
                return program_usage("--signature: at most %d are possible", SIGNATURES_MAX);
        ret->items = calloc(paths->n_items + 1, sizeof(*ret->items));
        if (!ret->items)
                return log_error_errno(-ENOMEM, "reading signatures: %m");

        for (; ret->n_items < paths->n_items; ret->n_items++) {
                r = signature_read(paths->items[ret->n_items], &ret->items[ret->n_items]);
                if (r < 0)
                        return r;
        }

        return 0;
}

/*
 * The size of the metadata's signatures is in the header, that of the others in the manifest:
 * one for both.
 */
static int sizes_equal(const SignatureList *a, const SignatureList *b)
{
        if (a->n_items != b->n_items)
                return program_usage("v2 wants as many --metadata-signature as --signature");
        for (size_t i = 0; i < a->n_items; i++)
                if (a->items[i].size != b->items[i].size)
                        return program_usage(
                                "--metadata-signature and --signature number %zu differ in size",
                                i + 1);
        return 0;
}

static int sign_with_files(const PayloadParts *parts, OutputFile *output)
{
        _cleanup_(signature_list_done) SignatureList list = {}, metadata_list = {};
        int r;

        r = signatures_read(&arg_signatures, &list);
        if (r != 0)
                return r;
        r = signatures_read(&arg_metadata_signatures, &metadata_list);
        if (r != 0)
                return r;
        if (parts->version == HEADER_VERSION_2) {
                r = sizes_equal(&list, &metadata_list);
                if (r != 0)
                        return r;
        }

        return tool_seal_with(parts, &list, &metadata_list, arg_output, output);
}

int verb_sign(_unused_ int argc, char **argv)
{
        _cleanup_(payload_file_done) PayloadFile file = PAYLOAD_FILE_NONE;
        _cleanup_(output_file_done) OutputFile output = OUTPUT_FILE_NONE;
        _cleanup_(private_keys_done) PrivateKeys keys = {};
        PayloadParts parts;
        int r;

        r = tool_output_check(arg_output, "the signed payload");
        if (r != 0)
                return r;
        if ((arg_keys.n_items > 0) == (arg_signatures.n_items > 0))
                return program_usage("either --key or --signature is wanted");

        r = tool_load_private_keys(&arg_keys, &keys);
        if (r != 0)
                return r;
        r = file_open(argv[1], &file);
        if (r < 0)
                return r;
        r = output_file_open(arg_output, &output);
        if (r < 0)
                return tool_output_failed(arg_output, r);

        parts = file_parts(&file);
        if (arg_signatures.n_items > 0)
                return sign_with_files(&parts, &output);
        return tool_seal(&parts, &keys, arg_output, &output);
}

static int sizes_parse(SignatureList *list)
{
        uint64_t size;

        list->n_items = MAX_OF(arg_sizes.n_items, (size_t)1);
        if (list->n_items > SIGNATURES_MAX)
                return program_usage("--signature-size: at most %d are possible", SIGNATURES_MAX);
        list->items = calloc(list->n_items, sizeof(*list->items));
        if (!list->items)
                return log_error_errno(-ENOMEM, "reading sizes: %m");

        list->items[0].size = SIGNATURE_SIZE_DEFAULT;
        for (size_t i = 0; i < arg_sizes.n_items; i++) {
                if (text_to_u64(arg_sizes.items[i], SIGNATURE_SIZE_MAX, &size) < 0 || size == 0)
                        return program_usage("--signature-size: \"%s\" is no size from 1 to %d",
                                             arg_sizes.items[i], SIGNATURE_SIZE_MAX);
                list->items[i].size = (size_t)size;
        }

        return 0;
}

static int digest_write(const char *path, const uint8_t *sha256)
{
        int r;

        if (!path)
                return 0;
        r = file_replace(NULL, path, sha256, SHA256_SIZE, 0644);
        return r < 0 ? log_error_errno(r, "%s: %m", path) : 0;
}

static int digest_print(uint64_t version, const uint8_t *sha256, const uint8_t *metadata_sha256)
{
        char text[SHA256_TEXT], metadata_text[SHA256_TEXT];
        bool both = version == HEADER_VERSION_2;

        (void)sha256_format(sha256, text);
        (void)sha256_format(metadata_sha256, metadata_text);
        if (arg_json)
                return tool_print_json(json_pack("{s:s, s:s*}", "sha256", text, "metadata_sha256",
                                                 both ? metadata_text : NULL));
        printf("%s\n", text);
        if (both)
                printf("%s metadata\n", metadata_text);
        return 0;
}

int verb_digest(_unused_ int argc, char **argv)
{
        _cleanup_(buffer_done) Buffer metadata = BUFFER_MAX(MANIFEST_SIZE_MAX + HEADER_SIZE_MAX);
        _cleanup_(payload_file_done) PayloadFile file = PAYLOAD_FILE_NONE;
        _cleanup_(signature_list_done) SignatureList list = {};
        uint8_t sha256[SHA256_SIZE], metadata_sha256[SHA256_SIZE];
        PayloadParts parts;
        int r;

        r = sizes_parse(&list);
        if (r != 0)
                return r;
        r = file_open(argv[1], &file);
        if (r < 0)
                return r;

        parts = file_parts(&file);
        r = seal_metadata(&parts, &list, &metadata);
        if (r >= 0)
                r = digest_of(metadata.data, metadata.size, metadata_sha256);
        if (r >= 0)
                r = seal_payload(&parts, &metadata, NULL, -1, sha256);
        if (r < 0)
                return log_error_errno(r, "%s: %m", argv[1]);

        r = digest_write(arg_output, sha256);
        if (r >= 0 && parts.version == HEADER_VERSION_2)
                r = digest_write(arg_metadata_output, metadata_sha256);
        return r < 0 ? r : digest_print(parts.version, sha256, metadata_sha256);
}
