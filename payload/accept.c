#include <fcntl.h>

#include "base/text.h"
#include "payload/apply.h"
#include "payload/error.h"
#include "payload/keys.h"
#include "payload/target.h"
#include "version.h"

static bool signers_have(const TextList *signers, const char *description)
{
        for (size_t i = 0; i < signers->n_items; i++)
                if (streq(signers->items[i], description))
                        return true;

        return false;
}

/* Enough different keys have signed? Several signatures of one key count once. Fills signers. */
static int signatures_check(const PayloadApply *apply, uint64_t version, const Buffer *message,
                            const uint8_t *sha256, TextList *signers, PayloadError *error)
{
        _cleanup_(signature_list_done) SignatureList list = {};
        size_t wanted = MAX_OF(apply->parameters.signatures_min, 1U);
        int r;

        r = signature_list_parse(version, message->data, message->size, &list, error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < list.n_items; i++) {
                const char *signer;
                int key = keys_verify(apply->parameters.keys, version, sha256, &list.items[i]);

                if (key < 0)
                        continue;
                signer = keys_describe(apply->parameters.keys, (size_t)key);
                r = signers_have(signers, signer) ? 0 : text_list_add(signers, signer);
                if (r < 0)
                        return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "checking signatures");
        }

        if (signers->n_items == 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                      "none of its %zu signatures is by a trusted key",
                                      list.n_items);
        if (signers->n_items < wanted)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                      "signed by %zu trusted keys, %zu are wanted",
                                      signers->n_items, wanted);
        return 0;
}

/* Version 2: nothing of the manifest is looked at before it is known who signed it. */
int accept_metadata(void *userdata, const uint8_t sha256[static SHA256_SIZE],
                    const Buffer *signatures, PayloadError *error)
{
        _cleanup_(text_list_done) TextList signers = {};
        PayloadApply *apply = userdata;
        int r;

        memcpy(apply->checkpoint.metadata_sha256, sha256, SHA256_SIZE);
        apply->version = reader_version(apply->reader);
        if (apply->version == HEADER_VERSION_1)
                return 0;
        if (!signatures)
                return payload_refuse(error, PAYLOAD_REFUSAL_UNSIGNED,
                                      "the metadata of the payload is not signed");

        r = signatures_check(apply, apply->version, signatures, sha256, &signers, error);
        if (r < 0) {
                payload_error_locate(error, "metadata");
                return r;
        }
        if (apply->parameters.hashing == PAYLOAD_HASH_OPERATIONS) {
                apply->signers = signers;
                signers = (TextList) {};
        }

        return 0;
}

/* The manifest says how long the whole payload is: is that what was announced, and what is there? */
static int size_check(const PayloadApply *apply, const Manifest *manifest, PayloadError *error)
{
        const PayloadApplyParameters *parameters = &apply->parameters;
        uint64_t size = reader_bytes(apply->reader);

        if (!add_u64(size, manifest->data_size, &size)
            || !add_u64(size, manifest->signatures_size, &size))
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                      "by its manifest it is longer than any file can be");
        if (parameters->size > 0 && size != parameters->size)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                      "by its manifest it has %llu bytes, %llu were announced",
                                      (unsigned long long)size,
                                      (unsigned long long)parameters->size);
        if (parameters->file_size > 0 && size != parameters->file_size)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                      "it has %llu bytes, by its manifest %llu are wanted",
                                      (unsigned long long)parameters->file_size,
                                      (unsigned long long)size);
        return 0;
}

static int base_check(const Part *part, const Partition *partition, PayloadError *error)
{
        uint8_t sha256[SHA256_SIZE];
        int r;

        if (!part->base)
                return payload_refuse(error, PAYLOAD_REFUSAL_BASE,
                                      "%s: the payload is a delta, and there is no base for it",
                                      partition->name);
        if (part->base->size < partition->old_image.size)
                return payload_refuse(error, PAYLOAD_REFUSAL_BASE,
                                      "%s: the base has %llu bytes, the delta is for one of %llu",
                                      partition->name, (unsigned long long)part->base->size,
                                      (unsigned long long)partition->old_image.size);

        r = source_hash(part->base, partition->old_image.size, sha256);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "reading the base");
        if (memcmp(sha256, partition->old_image.sha256, SHA256_SIZE) != 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_BASE,
                                      "%s: the base is not the one that the delta is for",
                                      partition->name);
        return 0;
}

static int part_accept(const PayloadApply *apply, const Partition *partition, PayloadError *error)
{
        const Part *part = &apply->parts[partition->role];
        uint64_t most = partition->role == PARTITION_SLOT ? apply->parameters.target_size_max : 0;
        int r;

        if (part->target.fd < 0)
                return 0;
        r = target_check_size(&part->target, partition->new_image.size, most, error);
        if (r < 0)
                payload_error_locate(error, "%s", partition->name);
        if (r < 0 || !partition->old_image.known)
                return r;

        return base_check(part, partition, error);
}

/* How the image is going to be hashed: from memory, or read back from the medium behind the front. */
static int part_follow(const PayloadApply *apply, Part *part, const Partition *partition)
{
        bool cached = apply->parameters.cached, direct = part->direct.fd >= 0;
        const FollowerParameters parameters = {
                .target = &part->target,
                .image_size = partition->new_image.size,
                .operations = apply->pool,
                .cached = cached,
                .lag = !cached && (!direct || partition->old_image.known),
                .threaded = apply->parameters.jobs > 1,
        };

        part->origin = cached ? OUTPUT_MADE : direct ? OUTPUT_READ : OUTPUT_NOT_KEPT;
        return follower_new(&parameters, &part->follower);
}

static int part_prepare(PayloadApply *apply, const Manifest *manifest, const Partition *partition,
                        PayloadError *error)
{
        Part *part = &apply->parts[partition->role];
        uint32_t block_size = manifest->block_size;
        int r;

        if (part->target.fd < 0)
                return 0;
        r = target_resize(&part->target, partition->new_image.size, error);
        if (r < 0)
                return r;
        if (apply->parameters.direct
            && !(manifest->version == HEADER_VERSION_1 && partition->old_image.known))
                part->direct.fd = direct_open(part->target.fd, O_RDWR); /* where it is possible */
        r = part_follow(apply, part, partition);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "preparing to read back");
        if (!partition->old_image.known)
                return 0;

        if (manifest->version == HEADER_VERSION_1) { /* in place */
                r = block_map_new(blocks_for(partition->new_image.size, block_size),
                                  &part->written);
                if (r < 0)
                        return payload_fail(error, PAYLOAD_REFUSAL_NONE, r,
                                            "preparing for a delta");
        }
        part->source = (ExtentSource) {
                .base = part->base,
                .base_size = partition->old_image.size,
                .target = &part->target,
                .written = part->written,
                .block_size = block_size,
        };
        return 0;
}

static int engine_check(const Manifest *manifest, PayloadError *error)
{
        if (!manifest->minimum_engine
            || version_compare(manifest->minimum_engine, SLUICE_VERSION) <= 0)
                return 0;
        return payload_refuse(error, PAYLOAD_REFUSAL_VERSION,
                              "the payload needs updater %s or newer, this one is %s",
                              manifest->minimum_engine, SLUICE_VERSION);
}

/* A replayed old payload, or one that has expired: what is signed says so. */
static int age_check(const PayloadApply *apply, const Manifest *manifest, PayloadError *error)
{
        if (apply->parameters.now > 0 && manifest->expires > 0
            && apply->parameters.now >= manifest->expires)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST, "the payload has expired");
        if (manifest->timestamp < apply->parameters.timestamp_min)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the payload is older than what is installed");
        return 0;
}

/* A target without anything for it would stay as it is, or become an empty file. */
static int role_check(const PayloadApply *apply, const Manifest *manifest, PartitionRole role,
                      PayloadError *error)
{
        const PayloadTarget *target = &apply->parts[role].target;
        bool wanted = target->fd >= 0 && !target->optional;

        for (size_t i = 0; i < manifest->n_partitions && wanted; i++)
                wanted = manifest->partitions[i].role != role;
        return wanted ? payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                       "no partition of the payload is called \"%s\"",
                                       partition_role_to_string(role))
                      : 0;
}

static int parts_accept(PayloadApply *apply, const Manifest *manifest, PayloadError *error)
{
        int r;

        apply->slot = manifest_slot(manifest);
        r = role_check(apply, manifest, PARTITION_SLOT, error);
        if (r >= 0)
                r = role_check(apply, manifest, PARTITION_KERNEL, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                r = part_accept(apply, &manifest->partitions[i], error);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* What the parameters leave out of the work. */
static void hashing_prepare(PayloadApply *apply)
{
        if (apply->parameters.hashing == PAYLOAD_HASH_WHOLE)
                reader_skip(apply->reader, UINT64_MAX);
        if (apply->parameters.hashing == PAYLOAD_HASH_OPERATIONS
            && apply->version == HEADER_VERSION_2)
                reader_hash_less(apply->reader);
}

static int manifest_accept(PayloadApply *apply, const Manifest *manifest, PayloadError *error)
{
        int r;

        if (manifest->signatures_size == 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_UNSIGNED, "the payload is not signed");
        r = size_check(apply, manifest, error);
        if (r < 0)
                return r;
        r = engine_check(manifest, error);
        if (r < 0)
                return r;
        r = age_check(apply, manifest, error);
        if (r < 0)
                return r;

        return parts_accept(apply, manifest, error);
}

/* All checks first: nothing is touched for a payload that is going to be refused. */
int accept_manifest(void *userdata, const Manifest *manifest, PayloadError *error)
{
        PayloadApply *apply = userdata;
        int r;

        r = manifest_accept(apply, manifest, error);
        if (r < 0)
                return r;
        hashing_prepare(apply);
        r = resume_look(apply, manifest, error);
        if (r < 0)
                return r;

        apply->touched = true;
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                r = part_prepare(apply, manifest, &manifest->partitions[i], error);
                if (r < 0)
                        return r;
        }

        return resume_begin(apply, manifest, error);
}

int accept_signatures(PayloadApply *apply, PayloadError *error)
{
        if (apply->parameters.hashing == PAYLOAD_HASH_OPERATIONS
            && apply->version == HEADER_VERSION_2)
                return 0; /* those of the metadata are by the same keys */

        return signatures_check(apply, apply->version, reader_signatures(apply->reader),
                                reader_signed_sha256(apply->reader), &apply->signers, error);
}
