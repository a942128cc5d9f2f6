#include "payload/manifest.h"
#include "base/string-table.h"
#include "payload/error.h"
#include "update_metadata.pb-c.h"

typedef ChromeosUpdateEngine__DeltaArchiveManifest WireManifest;
typedef ChromeosUpdateEngine__InstallOperation WireOperation;
typedef ChromeosUpdateEngine__InstallProcedure WireProcedure;
typedef ChromeosUpdateEngine__InstallInfo WireInfo;
typedef ChromeosUpdateEngine__Extent WireExtent;

static const char *const partition_role_table[_PARTITION_ROLE_MAX] = {
        [PARTITION_SLOT] = "usr",
        [PARTITION_KERNEL] = "kernel",
        [PARTITION_PCR_POLICY] = "pcr-policy",
        [PARTITION_UNKNOWN] = "unknown",
};

DEFINE_STRING_TABLE(partition_role, PartitionRole);

/* What the generated decoder may still allocate. Memory it gives back is not credited: a failed decode ends. */
typedef struct Budget {
        size_t left;
        bool exhausted;
} Budget;

static void *budget_alloc(void *userdata, size_t size)
{
        Budget *budget = userdata;

        if (size > budget->left) {
                budget->exhausted = true;
                return NULL;
        }

        budget->left -= size;
        return malloc(size);
}

static void budget_free(_unused_ void *userdata, void *pointer)
{
        free(pointer);
}

Manifest *manifest_free(Manifest *manifest)
{
        if (!manifest)
                return NULL;

        free(manifest->partitions);
        free(manifest->operations);
        free(manifest->extents);
        free(manifest);
        return NULL;
}

static void manifest_count(Manifest *manifest, WireOperation *const *operations, size_t n)
{
        manifest->n_operations += n;
        for (size_t i = 0; i < n; i++)
                manifest->n_extents += operations[i]->n_src_extents + operations[i]->n_dst_extents;
}

/* Counts first, so that each array is allocated once and pointers into it stay. */
static int manifest_allocate(Manifest *manifest, const WireManifest *wire, PayloadError *error)
{
        manifest->n_partitions = 1 + wire->n_procedures;
        manifest_count(manifest, wire->partition_operations, wire->n_partition_operations);
        for (size_t i = 0; i < wire->n_procedures; i++)
                manifest_count(manifest, wire->procedures[i]->operations,
                               wire->procedures[i]->n_operations);

        if (manifest->n_operations > OPERATIONS_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "%zu operations, the most is %d", manifest->n_operations,
                                      OPERATIONS_MAX);
        if (manifest->n_extents > EXTENTS_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "%zu extents, the most is %d", manifest->n_extents,
                                      EXTENTS_MAX);

        manifest->partitions = calloc(manifest->n_partitions, sizeof(*manifest->partitions));
        manifest->operations = calloc(manifest->n_operations + 1, sizeof(*manifest->operations));
        manifest->extents = calloc(manifest->n_extents + 1, sizeof(*manifest->extents));
        if (!manifest->partitions || !manifest->operations || !manifest->extents)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, -ENOMEM, "reading the manifest");
        return 0;
}

/* The next free places in the arrays of a manifest that is being filled. */
typedef struct Filler {
        Operation *operation;
        Extent *extent;
} Filler;

static ExtentList filler_add_extents(Filler *filler, WireExtent *const *extents, size_t n)
{
        ExtentList list = { .items = filler->extent, .n_items = n };

        for (size_t i = 0; i < n; i++)
                *filler->extent++ = (Extent) {
                        .start = extents[i]->start_block,
                        .n_blocks = extents[i]->num_blocks,
                };

        return list;
}

static int filler_add_operation(Filler *filler, const WireOperation *wire, PayloadError *error)
{
        Operation *operation = filler->operation++;

        *operation = (Operation) {
                .type = (OperationType)wire->type,
                .data_offset = wire->data_offset,
                .data_length = wire->data_length,
                .has_sha256 = wire->has_data_sha256_hash,
                .has_source_length = wire->has_src_length,
                .has_target_length = wire->has_dst_length,
                .source_length = wire->src_length,
                .target_length = wire->dst_length,
        };
        operation->source = filler_add_extents(filler, wire->src_extents, wire->n_src_extents);
        operation->target = filler_add_extents(filler, wire->dst_extents, wire->n_dst_extents);

        if (!wire->has_data_sha256_hash)
                return 0;
        if (wire->data_sha256_hash.len != SHA256_SIZE)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "a data hash has %zu bytes, SHA-256 has %d",
                                      wire->data_sha256_hash.len, SHA256_SIZE);
        memcpy(operation->sha256, wire->data_sha256_hash.data, SHA256_SIZE);
        return 0;
}

static int filler_add_operations(Filler *filler, WireOperation *const *operations, size_t n,
                                 Partition *partition, PayloadError *error)
{
        int r;

        partition->operations = filler->operation;
        partition->n_operations = n;
        for (size_t i = 0; i < n; i++) {
                r = filler_add_operation(filler, operations[i], error);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int image_info_read(const WireInfo *wire, ImageInfo *ret, PayloadError *error)
{
        *ret = (ImageInfo) {};
        if (!wire)
                return 0;
        if (!wire->has_size || !wire->has_hash || wire->hash.len != SHA256_SIZE)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "an image is described without its size or SHA-256");

        ret->known = true;
        ret->size = wire->size;
        memcpy(ret->sha256, wire->hash.data, SHA256_SIZE);
        return 0;
}

static int image_infos_read(const WireInfo *old, const WireInfo *new, Partition *partition,
                            PayloadError *error)
{
        int r;

        r = image_info_read(old, &partition->old_image, error);
        if (r < 0)
                return r;

        return image_info_read(new, &partition->new_image, error);
}

static PartitionRole procedure_role(const WireProcedure *procedure)
{
        if (!procedure->has_type)
                return PARTITION_UNKNOWN;
        switch ((int)procedure->type) {
        case CHROMEOS_UPDATE_ENGINE__INSTALL_PROCEDURE__TYPE__KERNEL:
                return PARTITION_KERNEL;
        case CHROMEOS_UPDATE_ENGINE__INSTALL_PROCEDURE__TYPE__PCR_POLICY:
                return PARTITION_PCR_POLICY;
        default: /* a foreign number: the format wants unknown procedures skipped */
                return PARTITION_UNKNOWN;
        }
}

static int manifest_fill(Manifest *manifest, const WireManifest *wire, PayloadError *error)
{
        Filler filler = { .operation = manifest->operations, .extent = manifest->extents };
        Partition *partition = manifest->partitions;
        int r;

        partition->role = PARTITION_SLOT;
        r = filler_add_operations(&filler, wire->partition_operations, wire->n_partition_operations,
                                  partition, error);
        if (r < 0)
                return r;
        r = image_infos_read(wire->old_partition_info, wire->new_partition_info, partition, error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < wire->n_procedures; i++) {
                const WireProcedure *procedure = wire->procedures[i];

                partition++;
                partition->role = procedure_role(procedure);
                r = filler_add_operations(&filler, procedure->operations, procedure->n_operations,
                                          partition, error);
                if (r < 0)
                        return r;
                r = image_infos_read(procedure->old_info, procedure->new_info, partition, error);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int manifest_convert(const WireManifest *wire, size_t size, Manifest **ret,
                            PayloadError *error)
{
        _cleanup_(manifest_free_p) Manifest *manifest = calloc(1, sizeof(*manifest));
        int r;

        if (!manifest)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, -ENOMEM, "reading the manifest");

        manifest->version = 1;
        manifest->size = size;
        manifest->block_size = wire->block_size;
        manifest->signatures_size = wire->signatures_size;
        if (wire->has_signatures_offset != wire->has_signatures_size)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the place of the signatures is given by half");

        r = manifest_allocate(manifest, wire, error);
        if (r < 0)
                return r;
        r = manifest_fill(manifest, wire, error);
        if (r < 0)
                return r;
        r = manifest_check(manifest, wire->signatures_offset, error);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(manifest);
        return 0;
}

int manifest_parse(const uint8_t *data, size_t size, Manifest **ret, PayloadError *error)
{
        Budget budget = { .left = MANIFEST_MEMORY_MAX };
        ProtobufCAllocator allocator = {
                .alloc = budget_alloc,
                .free = budget_free,
                .allocator_data = &budget,
        };
        WireManifest *wire;
        int r;

        wire = chromeos_update_engine__delta_archive_manifest__unpack(&allocator, size, data);
        if (!wire && budget.exhausted)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the manifest needs more than %llu bytes of memory",
                                      (unsigned long long)MANIFEST_MEMORY_MAX);
        if (!wire)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the manifest is no valid protobuf message");

        r = manifest_convert(wire, size, ret, error);
        protobuf_c_message_free_unpacked(&wire->base, &allocator);
        return r;
}
