#include "payload/manifest-writer.h"
#include "update_metadata.pb-c.h"

typedef ChromeosUpdateEngine__DeltaArchiveManifest WireManifest;
typedef ChromeosUpdateEngine__InstallOperation WireOperation;
typedef ChromeosUpdateEngine__InstallProcedure WireProcedure;
typedef ChromeosUpdateEngine__InstallInfo WireInfo;
typedef ChromeosUpdateEngine__Extent WireExtent;
typedef ChromeosUpdateEngine__PartitionUpdate WirePartition;

/* The arrays behind a wire message that is being built: one owner for all of them. */
typedef struct WireParts {
        WireOperation *operations; /* partition's and procedures', then the ones without effect */
        WireOperation **operation_pointers;
        WireExtent *extents; /* one more for each operation without effect */
        WireExtent **extent_pointers;
        WireProcedure *procedures;
        WireProcedure **procedure_pointers;
        WirePartition *partitions;
        WirePartition **partition_pointers;
        WireInfo *infos; /* one for each partition */
        size_t n_operations, n_extents;
} WireParts;

static void wire_parts_done(WireParts *parts)
{
        free(parts->operations);
        free(parts->operation_pointers);
        free(parts->extents);
        free(parts->extent_pointers);
        free(parts->procedures);
        free(parts->procedure_pointers);
        free(parts->partitions);
        free(parts->partition_pointers);
        free(parts->infos);
}

static int wire_parts_allocate(const Manifest *manifest, WireParts *parts)
{
        size_t n_operations = 2 * manifest->n_operations + 1;
        size_t n_extents = manifest->n_extents + manifest->n_operations + 1;
        size_t n = manifest->n_partitions;

        parts->operations = calloc(n_operations, sizeof(*parts->operations));
        parts->operation_pointers = calloc(n_operations, sizeof(*parts->operation_pointers));
        parts->extents = calloc(n_extents, sizeof(*parts->extents));
        parts->extent_pointers = calloc(n_extents, sizeof(*parts->extent_pointers));
        parts->procedures = calloc(n, sizeof(*parts->procedures));
        parts->procedure_pointers = calloc(n, sizeof(*parts->procedure_pointers));
        parts->partitions = calloc(n, sizeof(*parts->partitions));
        parts->partition_pointers = calloc(n, sizeof(*parts->partition_pointers));
        parts->infos = calloc(n, sizeof(*parts->infos));

        return parts->operations && parts->operation_pointers && parts->extents
                               && parts->extent_pointers && parts->procedures
                               && parts->procedure_pointers && parts->partitions
                               && parts->partition_pointers && parts->infos
                       ? 0
                       : -ENOMEM;
}

static void wire_extent_add(WireParts *parts, const Extent *extent)
{
        WireExtent *wire = &parts->extents[parts->n_extents];

        *wire = (WireExtent)CHROMEOS_UPDATE_ENGINE__EXTENT__INIT;
        wire->has_start_block = true;
        wire->start_block = extent->start;
        wire->has_num_blocks = true;
        wire->num_blocks = extent->n_blocks;
        parts->extent_pointers[parts->n_extents++] = wire;
}

static WireOperation *wire_operation_add(WireParts *parts, const Operation *operation,
                                         ExtentList target)
{
        WireOperation *wire = &parts->operations[parts->n_operations];

        *wire = (WireOperation)CHROMEOS_UPDATE_ENGINE__INSTALL_OPERATION__INIT;
        wire->type = (ChromeosUpdateEngine__InstallOperation__Type)operation->type;
        wire->has_data_offset = wire->has_data_length = operation->data_length > 0;
        wire->data_offset = operation->data_offset;
        wire->data_length = operation->data_length;
        wire->has_data_sha256_hash = operation->has_sha256;
        wire->data_sha256_hash.data = (uint8_t *)operation->sha256; /* only read */
        wire->data_sha256_hash.len = SHA256_SIZE;
        wire->dst_extents = &parts->extent_pointers[parts->n_extents];
        wire->n_dst_extents = target.n_items;
        for (size_t i = 0; i < target.n_items; i++)
                wire_extent_add(parts, &target.items[i]);

        parts->operation_pointers[parts->n_operations++] = wire;
        return wire;
}

static WireInfo *wire_info_add(WireParts *parts, size_t index, const ImageInfo *image)
{
        WireInfo *wire = &parts->infos[index];

        *wire = (WireInfo)CHROMEOS_UPDATE_ENGINE__INSTALL_INFO__INIT;
        wire->has_size = wire->has_hash = true;
        wire->size = image->size;
        wire->hash.data = (uint8_t *)image->sha256; /* only read */
        wire->hash.len = SHA256_SIZE;
        return wire;
}

static WireOperation **wire_operations_add(WireParts *parts, const Partition *partition)
{
        WireOperation **first = &parts->operation_pointers[parts->n_operations];

        for (size_t i = 0; i < partition->n_operations; i++)
                (void)wire_operation_add(parts, &partition->operations[i],
                                         partition->operations[i].target);
        return first;
}

static void wire_procedure_add(WireParts *parts, size_t index, const Partition *partition)
{
        WireProcedure *wire = &parts->procedures[index];

        *wire = (WireProcedure)CHROMEOS_UPDATE_ENGINE__INSTALL_PROCEDURE__INIT;
        wire->has_type = true;
        wire->type = partition->role == PARTITION_KERNEL
                             ? CHROMEOS_UPDATE_ENGINE__INSTALL_PROCEDURE__TYPE__KERNEL
                             : CHROMEOS_UPDATE_ENGINE__INSTALL_PROCEDURE__TYPE__PCR_POLICY;
        wire->operations = wire_operations_add(parts, partition);
        wire->n_operations = partition->n_operations;
        wire->new_info = wire_info_add(parts, index, &partition->new_image);
        parts->procedure_pointers[index] = wire;
}

/* What a client without procedures does with their data: it writes it into a hole. */
static void wire_noop_add(WireParts *parts, const Operation *operation)
{
        Extent hole = {
                .start = EXTENT_HOLE,
                .n_blocks = blocks_for(operation->data_length, BLOCK_SIZE_DEFAULT),
        };
        Operation replace = *operation;
        WireOperation *wire;

        replace.type = OPERATION_REPLACE;
        wire = wire_operation_add(parts, &replace, (ExtentList) { &hole, 1 });
        wire->data_sha256_hash.data = (uint8_t *)operation->sha256; /* the copy goes away */
}

static size_t wire_noops_add(WireParts *parts, const Manifest *manifest)
{
        size_t n = 0;

        for (size_t i = 1; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];

                for (size_t j = 0; j < partition->n_operations; j++) {
                        if (partition->operations[j].data_length == 0)
                                continue;
                        wire_noop_add(parts, &partition->operations[j]);
                        n++;
                }
        }

        return n;
}

static int wire_pack(const WireManifest *wire, Buffer *buffer)
{
        size_t size = chromeos_update_engine__delta_archive_manifest__get_packed_size(wire);
        _cleanup_free_ uint8_t *packed = malloc(size);

        if (!packed)
                return -ENOMEM;

        /* It returns the size again. */
        (void)chromeos_update_engine__delta_archive_manifest__pack(wire, packed);
        return buffer_append(buffer, packed, size);
}

static void manifest_fill_v1(const Manifest *manifest, WireParts *parts, WireManifest *wire)
{
        wire->new_partition_info = wire_info_add(parts, 0, &manifest->partitions[0].new_image);
        wire->partition_operations = wire_operations_add(parts, &manifest->partitions[0]);
        wire->n_partition_operations = manifest->partitions[0].n_operations;
        for (size_t i = 1; i < manifest->n_partitions; i++)
                wire_procedure_add(parts, i, &manifest->partitions[i]);
        wire->procedures = parts->procedure_pointers + 1;
        wire->n_procedures = manifest->n_partitions - 1;
        wire->noop_operations = &parts->operation_pointers[parts->n_operations];
        wire->n_noop_operations = wire_noops_add(parts, manifest);
}

static void manifest_fill_v2(const Manifest *manifest, WireParts *parts, WireManifest *wire)
{
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];
                WirePartition *to = &parts->partitions[i];

                *to = (WirePartition)CHROMEOS_UPDATE_ENGINE__PARTITION_UPDATE__INIT;
                to->partition_name = partition->name;
                to->version = partition->version;
                to->new_partition_info = wire_info_add(parts, i, &partition->new_image);
                to->operations = wire_operations_add(parts, partition);
                to->n_operations = partition->n_operations;
                parts->partition_pointers[i] = to;
        }

        wire->partitions = parts->partition_pointers;
        wire->n_partitions = manifest->n_partitions;
        wire->has_minor_version = true; /* 0: a full payload */
        wire->has_max_timestamp = manifest->timestamp > 0;
        wire->max_timestamp = (int64_t)manifest->timestamp;
        wire->has_expires = manifest->expires > 0;
        wire->expires = (int64_t)manifest->expires;
        wire->minimum_engine = manifest->minimum_engine;
}

int manifest_write(const Manifest *manifest, Buffer *buffer)
{
        WireManifest wire = CHROMEOS_UPDATE_ENGINE__DELTA_ARCHIVE_MANIFEST__INIT;
        _cleanup_(wire_parts_done) WireParts parts = {};
        int r;

        if (manifest->version == HEADER_VERSION_1 && manifest->data_size > UINT32_MAX)
                return -EFBIG;
        r = wire_parts_allocate(manifest, &parts);
        if (r < 0)
                return r;

        wire.has_block_size = true;
        wire.block_size = manifest->block_size;
        if (manifest->version == HEADER_VERSION_1)
                manifest_fill_v1(manifest, &parts, &wire);
        else
                manifest_fill_v2(manifest, &parts, &wire);

        return wire_pack(&wire, buffer);
}

/* The operation without effect for the signatures is the last one, and has no hash. */
static size_t noops_without_signatures(const WireManifest *wire)
{
        size_t n = wire->n_noop_operations;

        if (n > 0 && wire->has_signatures_offset
            && !wire->noop_operations[n - 1]->has_data_sha256_hash
            && wire->noop_operations[n - 1]->data_offset == wire->signatures_offset)
                n--;
        return n;
}

/* Old clients want the bytes of the signatures to have an operation. */
static int wire_write_noop(WireManifest *wire, const SignaturesPlace *place, Buffer *buffer)
{
        size_t n = wire->n_noop_operations;
        _cleanup_free_ WireOperation **noops = calloc(n + 1, sizeof(*noops));
        WireOperation noop = CHROMEOS_UPDATE_ENGINE__INSTALL_OPERATION__INIT;
        WireExtent hole = CHROMEOS_UPDATE_ENGINE__EXTENT__INIT, *holes = &hole;

        if (!noops)
                return -ENOMEM;
        if (place->data_size > UINT32_MAX)
                return -EFBIG;

        hole.has_start_block = hole.has_num_blocks = true;
        hole.start_block = EXTENT_HOLE;
        hole.num_blocks = blocks_for(place->size, BLOCK_SIZE_DEFAULT);
        noop.type = CHROMEOS_UPDATE_ENGINE__INSTALL_OPERATION__TYPE__REPLACE;
        noop.has_data_offset = noop.has_data_length = true;
        noop.data_offset = place->data_size;
        noop.data_length = place->size;
        noop.dst_extents = &holes;
        noop.n_dst_extents = 1;

        if (n > 0)
                memcpy(noops, wire->noop_operations, n * sizeof(*noops));
        if (place->size > 0)
                noops[n++] = &noop;
        wire->noop_operations = noops;
        wire->n_noop_operations = n;
        return wire_pack(wire, buffer);
}

int manifest_write_signatures(const void *data, size_t size, const SignaturesPlace *place,
                              Buffer *buffer)
{
        WireManifest *wire, changed;
        size_t n_noops;
        int r;

        wire = chromeos_update_engine__delta_archive_manifest__unpack(NULL, size, data);
        if (!wire)
                return -ENOMEM; /* it was decoded before */

        changed = *wire; /* the original keeps what it owns */
        n_noops = noops_without_signatures(wire);
        changed.has_signatures_offset = changed.has_signatures_size = place->size > 0;
        changed.signatures_offset = place->data_size;
        changed.signatures_size = place->size;
        if (place->version == HEADER_VERSION_1) {
                changed.n_noop_operations = n_noops;
                r = wire_write_noop(&changed, place, buffer);
        } else {
                r = wire_pack(&changed, buffer);
        }

        chromeos_update_engine__delta_archive_manifest__free_unpacked(wire, NULL);
        return r;
}
