#include "payload/error.h"
#include "payload/manifest.h"
#include "payload/operation.h"

#define manifest_refuse(error, ...) payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST, __VA_ARGS__)

static int data_check(const Operation *operation, uint64_t *offset, PayloadError *error)
{
        if (operation->data_length == 0)
                return 0;
        if (operation->data_length > OPERATION_DATA_MAX)
                return manifest_refuse(error, "its data has %llu bytes, the most is %llu",
                                       (unsigned long long)operation->data_length,
                                       (unsigned long long)OPERATION_DATA_MAX);
        if (!operation->has_sha256)
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION_HASH_MISSING,
                                      "its data has no SHA-256");
        if (operation->data_offset != *offset)
                return manifest_refuse(error, "its data is at byte %llu, %llu was expected",
                                       (unsigned long long)operation->data_offset,
                                       (unsigned long long)*offset);
        if (!add_u64(*offset, operation->data_length, offset))
                return manifest_refuse(error, "more data than 64 bits can count");
        return 0;
}

/*
 * No empty extent, no overflow, none that begins behind n_blocks. An extent may end behind
 * n_blocks only where the caller says so: full payloads write 256 blocks for the last piece,
 * however short it is.
 */
static int extents_check(ExtentList list, uint64_t n_blocks, bool may_end_behind, const char *what,
                         PayloadError *error)
{
        for (size_t i = 0; i < list.n_items; i++) {
                const Extent *extent = &list.items[i];
                uint64_t end;

                if (extent->n_blocks == 0)
                        return manifest_refuse(error, "a %s extent of 0 blocks", what);
                if (extent_is_hole(extent))
                        continue;
                if (!extent_end(extent, &end) || extent->start >= n_blocks
                    || (end > n_blocks && !may_end_behind))
                        return manifest_refuse(
                                error,
                                "%s blocks %llu + %llu are outside the partition of %llu blocks",
                                what, (unsigned long long)extent->start,
                                (unsigned long long)extent->n_blocks, (unsigned long long)n_blocks);
        }

        return 0;
}

static int length_check(bool given, uint64_t length, ExtentList list, uint32_t block_size,
                        const char *what, PayloadError *error)
{
        uint64_t size;

        if (!extents_size(list, block_size, &size))
                return manifest_refuse(error, "the %s extents are larger than 64 bits can count",
                                       what);
        if (given && length > size)
                return manifest_refuse(error, "%s length %llu, but its extents hold %llu bytes",
                                       what, (unsigned long long)length, (unsigned long long)size);
        return 0;
}

static int source_check(const Manifest *manifest, const Partition *partition,
                        const Operation *operation, const OperationKind *kind, PayloadError *error)
{
        uint64_t size, target_size, n_blocks;
        int r;

        if (!kind->has_source)
                return operation->source.n_items == 0
                               ? 0
                               : manifest_refuse(error, "%s with source extents", kind->name);
        if (!partition->old_image.known)
                return manifest_refuse(error, "%s, but the manifest names no old image",
                                       kind->name);

        /* Version 1 works in place: its sources may be blocks that the new image has added. */
        n_blocks = partition->old_image.size;
        if (manifest->version == HEADER_VERSION_1)
                n_blocks = MAX_OF(n_blocks, partition->new_image.size);
        n_blocks = blocks_for(n_blocks, manifest->block_size);
        r = extents_check(operation->source, n_blocks, false, "source", error);
        if (r < 0)
                return r;
        r = length_check(operation->has_source_length, operation->source_length, operation->source,
                         manifest->block_size, "source", error);
        if (r < 0)
                return r;

        if (kind->lengths == LENGTHS_REQUIRED
            && !(operation->has_source_length && operation->has_target_length))
                return manifest_refuse(error, "%s without the lengths of source and target",
                                       kind->name);
        if (kind->lengths != LENGTHS_EQUAL)
                return 0;
        if (!extents_size(operation->source, manifest->block_size, &size)
            || !extents_size(operation->target, manifest->block_size, &target_size)
            || size != target_size)
                return manifest_refuse(error, "%s of unequal source and target", kind->name);
        return 0;
}

static int target_check(const Manifest *manifest, const Partition *partition,
                        const Operation *operation, const OperationKind *kind, PayloadError *error)
{
        int r;

        if (operation->target.n_items == 0)
                return manifest_refuse(error, "%s without target extents", kind->name);

        r = extents_check(operation->target,
                          blocks_for(partition->new_image.size, manifest->block_size),
                          kind->has_data && !kind->has_source, "target", error);
        if (r < 0)
                return r;

        return length_check(operation->has_target_length, operation->target_length,
                            operation->target, manifest->block_size, "target", error);
}

static int operation_check(const Manifest *manifest, const Partition *partition,
                           const Operation *operation, PayloadError *error)
{
        const OperationKind *kind = operation_kind(operation->type);
        int r;

        if (!kind)
                return payload_refuse(error, PAYLOAD_REFUSAL_VERSION,
                                      "type %d is not known, it needs a newer updater",
                                      (int)operation->type);
        if (!kind->apply)
                return payload_refuse(error, PAYLOAD_REFUSAL_VERSION,
                                      "%s is not supported by this updater", kind->name);
        if (kind->version != 0 && kind->version != manifest->version)
                return manifest_refuse(error, "%s is not for payloads of version %llu", kind->name,
                                       (unsigned long long)manifest->version);
        if (kind->has_data != (operation->data_length > 0))
                return manifest_refuse(error, "%s %s data", kind->name,
                                       kind->has_data ? "without" : "with");

        r = target_check(manifest, partition, operation, kind, error);
        if (r < 0)
                return r;

        return source_check(manifest, partition, operation, kind, error);
}

/* Gathers the target extents of operations[0..n) in one sorted array; the caller frees it. */
static int targets_gather(const Operation *operations, size_t n, Extent **ret, size_t *ret_n)
{
        _cleanup_free_ Extent *all = NULL;
        size_t n_all = 0;

        for (size_t i = 0; i < n; i++)
                n_all += operations[i].target.n_items;

        all = calloc(n_all + 1, sizeof(*all));
        if (!all)
                return -ENOMEM;

        n_all = 0;
        for (size_t i = 0; i < n; i++) {
                ExtentList list = operations[i].target;

                memcpy(all + n_all, list.items, list.n_items * sizeof(*all));
                n_all += list.n_items;
        }
        extents_sort(all, n_all);

        *ret = TAKE_PTR(all);
        *ret_n = n_all;
        return 0;
}

/*
 * No block is written twice by one operation. A full payload writes every block exactly once; a
 * delta of version 1 may write one again (it breaks cycles over scratch blocks), and keeps what
 * it does not write.
 */
static int targets_check(const Manifest *manifest, const Partition *partition, PayloadError *error)
{
        bool delta = partition->old_image.known && manifest->version == HEADER_VERSION_1;
        size_t step = delta ? 1 : partition->n_operations;
        uint64_t block;

        for (size_t i = 0; i < partition->n_operations; i += step) {
                _cleanup_free_ Extent *all = NULL;
                size_t n;
                int r = targets_gather(partition->operations + i, step, &all, &n);

                if (r < 0)
                        return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "checking extents");
                if (extents_overlap(all, n, &block))
                        return manifest_refuse(error, "block %llu is written twice",
                                               (unsigned long long)block);
                if (!delta
                    && extents_gap(all, n,
                                   blocks_for(partition->new_image.size, manifest->block_size),
                                   &block))
                        return manifest_refuse(error, "block %llu is written by no operation",
                                               (unsigned long long)block);
        }

        return 0;
}

static int images_check(const Manifest *manifest, const Partition *partition, PayloadError *error)
{
        if (!partition->new_image.known)
                return manifest_refuse(error, "no size and SHA-256 of the new image");
        if (partition->new_image.size == 0 || partition->new_image.size > IMAGE_SIZE_MAX
            || (partition->old_image.known && partition->old_image.size > IMAGE_SIZE_MAX))
                return manifest_refuse(error, "an image of %llu bytes; 1 to %llu are possible",
                                       (unsigned long long)partition->new_image.size,
                                       (unsigned long long)IMAGE_SIZE_MAX);
        if (partition->old_image.known
            && blocks_for(partition->new_image.size, manifest->block_size) > BLOCK_MAP_MAX)
                return manifest_refuse(error, "a delta of more than %llu blocks",
                                       (unsigned long long)BLOCK_MAP_MAX);
        if (partition->n_operations == 0
            && (!partition->old_image.known || manifest->version == HEADER_VERSION_2))
                return manifest_refuse(error, "block 0 is written by no operation");
        return 0;
}

static int partition_check(const Manifest *manifest, const Partition *partition, uint64_t *offset,
                           PayloadError *error)
{
        bool known = partition->role != PARTITION_UNKNOWN;
        int r;

        r = known ? images_check(manifest, partition, error) : 0;
        if (r < 0)
                return r;

        for (size_t i = 0; i < partition->n_operations; i++) {
                r = data_check(&partition->operations[i], offset, error);
                if (r >= 0 && known)
                        r = operation_check(manifest, partition, &partition->operations[i], error);
                if (r < 0) {
                        payload_error_locate(error, "operation %zu", i);
                        return r;
                }
        }

        return known ? targets_check(manifest, partition, error) : 0;
}

/*
 * A name becomes part of messages and of file names: nothing else than letters, digits, "-",
 * "_" and ".".
 */
static bool name_is_good(const char *name)
{
        size_t n =
                strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

        return n > 0 && n <= NAME_MAX_SIZE && !name[n] && name[0] != '.';
}

static bool text_is_printable(const char *text)
{
        if (strlen(text) > NAME_MAX_SIZE)
                return false;
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        return false;
        return true;
}

static int names_check(const Manifest *manifest, PayloadError *error)
{
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];

                if (!name_is_good(partition->name))
                        return manifest_refuse(error, "the name of partition %zu is not allowed",
                                               i);
                if (partition->version && !text_is_printable(partition->version))
                        return manifest_refuse(error, "%s: its version is no plain text",
                                               partition->name);
                for (size_t j = 0; j < i; j++)
                        if (streq(partition->name, manifest->partitions[j].name)
                            && partition->role != PARTITION_UNKNOWN)
                                return manifest_refuse(error, "two parts are for the %s",
                                                       partition->name);
        }

        if (manifest->minimum_engine && !text_is_printable(manifest->minimum_engine))
                return manifest_refuse(error, "the version of the updater is no plain text");
        return 0;
}

int manifest_check(Manifest *manifest, uint64_t signatures_offset, PayloadError *error)
{
        int r;

        if (!is_power_of_two(manifest->block_size) || manifest->block_size < BLOCK_SIZE_MIN
            || manifest->block_size > BLOCK_SIZE_MAX)
                return manifest_refuse(error,
                                       "block size %u; a power of two from %d to %d is wanted",
                                       manifest->block_size, BLOCK_SIZE_MIN, BLOCK_SIZE_MAX);

        r = names_check(manifest, error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];

                r = partition_check(manifest, partition, &manifest->data_size, error);
                if (r < 0) {
                        payload_error_locate(error, "%s",
                                             partition_role_to_string(partition->role));
                        return r;
                }
        }

        if (manifest->signatures_size > SIGNATURES_SIZE_MAX)
                return manifest_refuse(error, "signatures of %llu bytes, the most is %llu",
                                       (unsigned long long)manifest->signatures_size,
                                       (unsigned long long)SIGNATURES_SIZE_MAX);
        if (manifest->signatures_size > 0 && signatures_offset != manifest->data_size)
                return manifest_refuse(error,
                                       "the signatures are at byte %llu, the data ends at %llu",
                                       (unsigned long long)signatures_offset,
                                       (unsigned long long)manifest->data_size);
        return 0;
}
