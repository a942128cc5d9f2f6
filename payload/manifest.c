#include "payload/manifest.h"
#include "base/string-table.h"
#include "base/text.h"
#include "payload/error.h"
#include "update_metadata.pb-c.h"

typedef ChromeosUpdateEngine__DeltaArchiveManifest WireManifest;
typedef ChromeosUpdateEngine__InstallOperation WireOperation;
typedef ChromeosUpdateEngine__InstallProcedure WireProcedure;
typedef ChromeosUpdateEngine__InstallInfo WireInfo;
typedef ChromeosUpdateEngine__PartitionUpdate WirePartition;
typedef ChromeosUpdateEngine__Extent WireExtent;

static const char *const partition_role_table[_PARTITION_ROLE_MAX] = {
        [PARTITION_SLOT] = "usr",
        [PARTITION_KERNEL] = "kernel",
        [PARTITION_PCR_POLICY] = "pcr-policy",
        [PARTITION_OTHER] = "other",
        [PARTITION_UNKNOWN] = "unknown",
};

DEFINE_STRING_TABLE(partition_role, PartitionRole);

/*
 * What the generated decoder may still allocate. Memory it gives back is not credited: a failed
 * decode ends.
 */
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

        for (size_t i = 0; manifest->partitions && i < manifest->n_partitions; i++) {
                free(manifest->partitions[i].name);
                free(manifest->partitions[i].version);
        }
        free(manifest->minimum_engine);
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

static void manifest_count_all(Manifest *manifest, const WireManifest *wire)
{
        if (manifest->version == HEADER_VERSION_2) {
                manifest->n_partitions = wire->n_partitions;
                for (size_t i = 0; i < wire->n_partitions; i++)
                        manifest_count(manifest, wire->partitions[i]->operations,
                                       wire->partitions[i]->n_operations);
                return;
        }

        manifest->n_partitions = 1 + wire->n_procedures;
        manifest_count(manifest, wire->partition_operations, wire->n_partition_operations);
        for (size_t i = 0; i < wire->n_procedures; i++)
                manifest_count(manifest, wire->procedures[i]->operations,
                               wire->procedures[i]->n_operations);
}

/* Counts first, so that each array is allocated once and pointers into it stay. */
static int manifest_allocate(Manifest *manifest, const WireManifest *wire, PayloadError *error)
{
        manifest_count_all(manifest, wire);
        if (manifest->n_partitions == 0 || manifest->n_partitions > PARTITIONS_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "%zu partitions; 1 to %d are possible",
                                      manifest->n_partitions, PARTITIONS_MAX);
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

/* A hash that is there has 32 bytes. */
static int hash_read(bool given, const ProtobufCBinaryData *wire, bool *ret_given, uint8_t *ret,
                     PayloadError *error)
{
        *ret_given = given;
        if (!given)
                return 0;
        if (wire->len != SHA256_SIZE)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "a data hash has %zu bytes, SHA-256 has %d", wire->len,
                                      SHA256_SIZE);

        memcpy(ret, wire->data, SHA256_SIZE);
        return 0;
}

static int filler_add_operation(Filler *filler, const WireOperation *wire, PayloadError *error)
{
        Operation *operation = filler->operation++;
        int r;

        *operation = (Operation) {
                .type = (OperationType)wire->type,
                .data_offset = wire->data_offset,
                .data_length = wire->data_length,
                .has_source_length = wire->has_src_length,
                .has_target_length = wire->has_dst_length,
                .source_length = wire->src_length,
                .target_length = wire->dst_length,
        };
        operation->source = filler_add_extents(filler, wire->src_extents, wire->n_src_extents);
        operation->target = filler_add_extents(filler, wire->dst_extents, wire->n_dst_extents);

        r = hash_read(wire->has_data_sha256_hash, &wire->data_sha256_hash, &operation->has_sha256,
                      operation->sha256, error);
        if (r < 0)
                return r;

        return hash_read(wire->has_src_sha256_hash, &wire->src_sha256_hash,
                         &operation->has_source_sha256, operation->source_sha256, error);
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

static int partition_fill(Filler *filler, WireOperation *const *operations, size_t n,
                          const WireInfo *old, const WireInfo *new, Partition *partition,
                          PayloadError *error)
{
        int r;

        r = filler_add_operations(filler, operations, n, partition, error);
        if (r < 0)
                return r;

        return image_infos_read(old, new, partition, error);
}

static int manifest_fill_v1(Manifest *manifest, const WireManifest *wire, PayloadError *error)
{
        Filler filler = { .operation = manifest->operations, .extent = manifest->extents };
        Partition *partition = manifest->partitions;
        int r;

        partition->role = PARTITION_SLOT;
        r = partition_fill(&filler, wire->partition_operations, wire->n_partition_operations,
                           wire->old_partition_info, wire->new_partition_info, partition, error);
        for (size_t i = 0; i < wire->n_procedures && r >= 0; i++) {
                const WireProcedure *procedure = wire->procedures[i];

                partition++;
                partition->role = procedure_role(procedure);
                r = partition_fill(&filler, procedure->operations, procedure->n_operations,
                                   procedure->old_info, procedure->new_info, partition, error);
        }
        for (size_t i = 0; i < manifest->n_partitions && r >= 0; i++)
                r = text_set(&manifest->partitions[i].name,
                             partition_role_to_string(manifest->partitions[i].role));

        return r;
}

/* Ours have names; a payload of one partition is for the slot, whatever it is called. */
static PartitionRole partition_role(const char *name, size_t n_partitions)
{
        PartitionRole role = partition_role_from_string(name);

        if (role == PARTITION_SLOT || role == PARTITION_KERNEL || role == PARTITION_PCR_POLICY)
                return role;
        return n_partitions == 1 ? PARTITION_SLOT : PARTITION_OTHER;
}

static int manifest_fill_v2(Manifest *manifest, const WireManifest *wire, PayloadError *error)
{
        Filler filler = { .operation = manifest->operations, .extent = manifest->extents };
        int r = 0;

        for (size_t i = 0; i < wire->n_partitions && r >= 0; i++) {
                const WirePartition *from = wire->partitions[i];
                Partition *partition = &manifest->partitions[i];
                const char *name = from->partition_name ? from->partition_name : "";

                partition->role = partition_role(name, wire->n_partitions);
                r = text_set(&partition->name, name);
                if (r >= 0 && from->version)
                        r = text_set(&partition->version, from->version);
                if (r >= 0)
                        r = partition_fill(&filler, from->operations, from->n_operations,
                                           from->old_partition_info, from->new_partition_info,
                                           partition, error);
        }

        manifest->timestamp = wire->max_timestamp > 0 ? (uint64_t)wire->max_timestamp : 0;
        manifest->expires = wire->expires > 0 ? (uint64_t)wire->expires : 0;
        if (r >= 0 && wire->minimum_engine)
                r = text_set(&manifest->minimum_engine, wire->minimum_engine);
        return r;
}

static int features_check(const WireManifest *wire, PayloadError *error)
{
        if (wire->n_required_features == 0)
                return 0;
        return payload_refuse(error, PAYLOAD_REFUSAL_VERSION,
                              "the payload needs an updater with the feature \"%.64s\"",
                              wire->required_features[0]);
}

static int manifest_convert(uint64_t version, const WireManifest *wire, size_t size, Manifest **ret,
                            PayloadError *error)
{
        _cleanup_(manifest_free_p) Manifest *manifest = calloc(1, sizeof(*manifest));
        int r;

        if (!manifest)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, -ENOMEM, "reading the manifest");

        manifest->version = version;
        manifest->size = size;
        manifest->block_size = wire->block_size;
        manifest->signatures_size = wire->signatures_size;
        if (wire->has_signatures_offset != wire->has_signatures_size)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the place of the signatures is given by half");

        r = version == HEADER_VERSION_2 ? features_check(wire, error) : 0;
        if (r < 0)
                return r;
        r = manifest_allocate(manifest, wire, error);
        if (r < 0)
                return r;
        r = version == HEADER_VERSION_2 ? manifest_fill_v2(manifest, wire, error)
                                        : manifest_fill_v1(manifest, wire, error);
        if (r == -ENOMEM)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "reading the manifest");
        if (r < 0)
                return r;
        r = manifest_check(manifest, wire->signatures_offset, error);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(manifest);
        return 0;
}

int manifest_parse(uint64_t version, const uint8_t *data, size_t size, Manifest **ret,
                   PayloadError *error)
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

        r = manifest_convert(version, wire, size, ret, error);
        protobuf_c_message_free_unpacked(&wire->base, &allocator);
        return r;
}

const Partition *manifest_slot(const Manifest *manifest)
{
        for (size_t i = 0; i < manifest->n_partitions; i++)
                if (manifest->partitions[i].role == PARTITION_SLOT)
                        return &manifest->partitions[i];

        return NULL;
}

uint64_t operation_target_size(const Operation *operation, uint64_t image_size, uint32_t block_size)
{
        uint64_t size = 0;

        for (size_t i = 0; i < operation->target.n_items; i++) {
                const Extent *extent = &operation->target.items[i];
                uint64_t start = extent->start * block_size, n = extent->n_blocks * block_size;

                size += extent_is_hole(extent) ? n : MIN_OF(n, image_size - start);
        }

        return size;
}
