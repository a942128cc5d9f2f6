#include "base/log.h"
#include "base/time-util.h"
#include "payload/operation.h"
#include "payload/payload-file.h"
#include "payload/payload-tool.h"

static TextList arg_keys;
static bool arg_json;
static bool arg_operations;

const Option info_options[] = {
        { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON" },
        { "operations", 0, OPTION_FLAG, &arg_operations, NULL, "list every operation" },
        { "key", 'k', OPTION_LIST, &arg_keys, "PUBLIC.pem",
          "say which signatures it made; or a directory" },
        {},
};

/* Signatures over one SHA-256, and the keys that were given to tell whose they are. */
typedef struct Signatures {
        SignatureList list;
        uint64_t version; /* of the format */
        uint8_t sha256[SHA256_SIZE];
        const PayloadKeys *keys; /* borrowed; NULL: none was given */
} Signatures;

/* What is shown of a payload. */
typedef struct Info {
        PayloadFile file;
        PayloadKeys *keys;
        Signatures metadata;
        Signatures whole;
} Info;

static void info_done(Info *info)
{
        signature_list_done(&info->metadata.list);
        signature_list_done(&info->whole.list);
        payload_keys_free(info->keys);
        payload_file_done(&info->file);
}

/* The key that made it, of those that were given; or NULL. */
static const char *signatures_signer(const Signatures *signatures, size_t index)
{
        int key = signatures->keys ? keys_verify(signatures->keys, signatures->version,
                                                 signatures->sha256, &signatures->list.items[index])
                                   : -ENOKEY;

        return key < 0 ? NULL : keys_describe(signatures->keys, (size_t)key);
}

static json_t *signatures_json(const Signatures *signatures)
{
        json_t *array = json_array();

        for (size_t i = 0; i < signatures->list.n_items; i++) {
                const Signature *signature = &signatures->list.items[i];
                char id[SHA256_TEXT];
                json_t *object = json_pack(
                        "{s:I, s:s?}", "size", (json_int_t)signature->size, "key_id",
                        signature->has_key_id ? sha256_format(signature->key_id, id) : NULL);

                if (signatures->keys)
                        (void)json_object_set_new(
                                object, "signer",
                                json_pack("s?", signatures_signer(signatures, i)));
                (void)json_array_append_new(array, object);
        }

        return array;
}

static void signatures_print(const char *what, const Signatures *signatures)
{
        for (size_t i = 0; i < signatures->list.n_items; i++) {
                const Signature *signature = &signatures->list.items[i];
                const char *signer = signatures_signer(signatures, i);
                char id[SHA256_TEXT];

                printf("%-12s %zu bytes", what, signature->size);
                if (signature->has_key_id)
                        printf(" by key %.*s", 2 * KEY_ID_SHOWN,
                               sha256_format(signature->key_id, id));
                if (signer)
                        printf(", made by %s", signer);
                else if (signatures->keys)
                        printf(", made by none of the given keys");
                printf("\n");
        }
}

static const char *operation_name(const Operation *operation)
{
        const OperationKind *kind = operation_kind(operation->type);

        return kind ? kind->name : "UNKNOWN"; /* in a procedure of an unknown type */
}

static json_t *image_json(const ImageInfo *image)
{
        char text[SHA256_TEXT];

        if (!image->known)
                return json_null();
        return json_pack("{s:I, s:s}", "size", (json_int_t)image->size, "sha256",
                         sha256_format(image->sha256, text));
}

static json_t *extents_json(ExtentList list)
{
        json_t *array = json_array();

        for (size_t i = 0; i < list.n_items; i++) {
                const Extent *extent = &list.items[i];

                /* a hole has no start: null */
                (void)json_array_append_new(
                        array,
                        json_pack("[o, I]",
                                  extent_is_hole(extent) ? json_null()
                                                         : json_integer((json_int_t)extent->start),
                                  (json_int_t)extent->n_blocks));
        }

        return array;
}

static json_t *operation_json(const Operation *operation)
{
        return json_pack("{s:s, s:I, s:I, s:o, s:o}", "type", operation_name(operation),
                         "data_offset", (json_int_t)operation->data_offset, "data_length",
                         (json_int_t)operation->data_length, "source",
                         extents_json(operation->source), "target",
                         extents_json(operation->target));
}

static json_t *partition_json(const Partition *partition)
{
        json_t *object = json_pack(
                "{s:s, s:s?, s:I, s:o, s:o}", "name", partition->name, "version",
                partition->version, "n_operations", (json_int_t)partition->n_operations, "old",
                image_json(&partition->old_image), "new", image_json(&partition->new_image));
        json_t *operations;

        if (!arg_operations)
                return object;

        operations = json_array();
        for (size_t i = 0; i < partition->n_operations; i++)
                (void)json_array_append_new(operations, operation_json(&partition->operations[i]));
        (void)json_object_set_new(object, "operations", operations);
        return object;
}

static int info_print_json(const Info *info)
{
        const PayloadFile *file = &info->file;
        const Manifest *manifest = file->manifest;
        json_t *partitions = json_array();

        for (size_t i = 0; i < manifest->n_partitions; i++)
                (void)json_array_append_new(partitions, partition_json(&manifest->partitions[i]));
        return tool_print_json(json_pack(
                "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:o, s:o, s:o}", "format",
                (json_int_t)manifest->version, "size", (json_int_t)file->size, "metadata_size",
                (json_int_t)file->data_offset, "data_size", (json_int_t)manifest->data_size,
                "signatures_size", (json_int_t)manifest->signatures_size, "block_size",
                (json_int_t)manifest->block_size, "timestamp", (json_int_t)manifest->timestamp,
                "expires", (json_int_t)manifest->expires, "minimum_engine",
                manifest->minimum_engine, "metadata_signatures", signatures_json(&info->metadata),
                "signatures", signatures_json(&info->whole), "partitions", partitions));
}

static void image_print(const char *what, const ImageInfo *image)
{
        char bytes[BYTES_MAX], text[SHA256_TEXT];

        if (!image->known)
                return;
        printf("  %-12s %llu bytes (%s)\n  %-12s %s\n", what, (unsigned long long)image->size,
               bytes_format(image->size, bytes), "", sha256_format(image->sha256, text));
}

static void extents_print(const char *what, ExtentList list)
{
        if (list.n_items == 0)
                return;
        printf(" %s", what);
        for (size_t i = 0; i < list.n_items; i++)
                if (extent_is_hole(&list.items[i]))
                        printf(" hole+%llu", (unsigned long long)list.items[i].n_blocks);
                else
                        printf(" %llu+%llu", (unsigned long long)list.items[i].start,
                               (unsigned long long)list.items[i].n_blocks);
}

static void partition_print(const Partition *partition)
{
        printf("\n%s%s%s\n", partition->name, partition->version ? " " : "",
               partition->version ? partition->version : "");
        image_print("old image", &partition->old_image);
        image_print("new image", &partition->new_image);
        printf("  %-12s %zu\n", "operations", partition->n_operations);

        for (size_t i = 0; arg_operations && i < partition->n_operations; i++) {
                const Operation *operation = &partition->operations[i];

                printf("    %zu: %s, data %llu+%llu,", i, operation_name(operation),
                       (unsigned long long)operation->data_offset,
                       (unsigned long long)operation->data_length);
                extents_print("from", operation->source);
                extents_print("to", operation->target);
                printf("\n");
        }
}

static void info_print(const Info *info)
{
        const PayloadFile *file = &info->file;
        const Manifest *manifest = file->manifest;
        char bytes[BYTES_MAX];

        printf("format       v%llu\n", (unsigned long long)manifest->version);
        printf("size         %llu bytes (%s)\n", (unsigned long long)file->size,
               bytes_format(file->size, bytes));
        printf("metadata     %llu bytes\n", (unsigned long long)file->data_offset);
        printf("block size   %u bytes\n", manifest->block_size);
        if (manifest->timestamp > 0)
                printf("made         %llu (seconds since 1970)\n",
                       (unsigned long long)manifest->timestamp);
        if (manifest->expires > 0)
                printf("expires      %llu (seconds since 1970)\n",
                       (unsigned long long)manifest->expires);
        if (manifest->minimum_engine)
                printf("needs        updater %s or newer\n", manifest->minimum_engine);
        if (info->whole.list.n_items == 0)
                printf("signatures   none\n");
        signatures_print("of metadata", &info->metadata);
        signatures_print("signature", &info->whole);

        for (size_t i = 0; i < manifest->n_partitions; i++)
                partition_print(&manifest->partitions[i]);
}

/* Which of the keys made which signature: the whole file is read for that. */
static int info_hash(Info *info, const char *path)
{
        int r;

        if (arg_keys.n_items == 0)
                return 0;
        r = tool_load_keys(&arg_keys, &info->keys);
        if (r != 0)
                return r;
        r = payload_file_hash(&info->file, info->metadata.sha256, info->whole.sha256);
        if (r < 0)
                return log_error_errno(r, "%s: %m", path);

        info->metadata.keys = info->whole.keys = info->keys;
        info->metadata.version = info->whole.version = info->file.header.version;
        return 0;
}

int verb_info(_unused_ int argc, char **argv)
{
        _cleanup_(info_done) Info info = { .file = PAYLOAD_FILE_NONE };
        PayloadError error = {};
        int r;

        r = payload_file_open(argv[1], &info.file, &error);
        if (r >= 0)
                r = payload_file_metadata_signatures(&info.file, &info.metadata.list, &error);
        if (r >= 0)
                r = payload_file_signatures(&info.file, &info.whole.list, &error);
        if (r < 0)
                return tool_refused(argv[1], r, &error);
        r = info_hash(&info, argv[1]);
        if (r != 0)
                return r;

        if (arg_json)
                return info_print_json(&info);
        info_print(&info);
        return 0;
}
