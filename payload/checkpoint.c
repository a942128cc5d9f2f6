#include <endian.h>
#include <sys/stat.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "payload/checkpoint.h"

#define CHECKPOINT_MAGIC UINT64_C(0x536c756963652032) /* "Sluice 2" */
#define CHECKPOINT_MODE  0600
#define N_COPIES         (PAYLOAD_CHECKPOINT_ROOM / PAYLOAD_CHECKPOINT_STEP)

_Static_assert(CHECKPOINT_SIZE <= 512, "a checkpoint is written by one sector");

/* A cursor over the encoded numbers, which are big-endian. */
typedef struct Encoder {
        uint8_t *position;
} Encoder;

typedef struct Parser {
        const uint8_t *position;
} Parser;

static void encode_u64(Encoder *encoder, uint64_t number)
{
        number = htobe64(number);
        memcpy(encoder->position, &number, sizeof(number));
        encoder->position += sizeof(number);
}

static void encode_bytes(Encoder *encoder, const uint8_t *data, size_t size)
{
        memcpy(encoder->position, data, size);
        encoder->position += size;
}

static uint64_t parse_u64(Parser *parser)
{
        uint64_t number;

        memcpy(&number, parser->position, sizeof(number));
        parser->position += sizeof(number);
        return be64toh(number);
}

static void parse_bytes(Parser *parser, uint8_t *data, size_t size)
{
        memcpy(data, parser->position, size);
        parser->position += size;
}

static void encode_state(Encoder *encoder, const DigestState *state)
{
        encode_u64(encoder, state->bytes);
        for (size_t i = 0; i < SHA256_WORDS; i += 2)
                encode_u64(encoder, (uint64_t)state->words[i] << 32 | state->words[i + 1]);
        encode_bytes(encoder, state->rest, sizeof(state->rest));
}

static void parse_state(Parser *parser, DigestState *ret)
{
        ret->bytes = parse_u64(parser);
        for (size_t i = 0; i < SHA256_WORDS; i += 2) {
                uint64_t words = parse_u64(parser);

                ret->words[i] = (uint32_t)(words >> 32);
                ret->words[i + 1] = (uint32_t)words;
        }
        parse_bytes(parser, ret->rest, sizeof(ret->rest));
}

static void encode_target(Encoder *encoder, const TargetId *target)
{
        encode_u64(encoder, target->kind);
        encode_u64(encoder, target->device);
        encode_u64(encoder, target->inode);
        encode_u64(encoder, target->offset);
        encode_u64(encoder, target->size);
}

static void parse_target(Parser *parser, TargetId *ret)
{
        ret->kind = parse_u64(parser);
        ret->device = parse_u64(parser);
        ret->inode = parse_u64(parser);
        ret->offset = parse_u64(parser);
        ret->size = parse_u64(parser);
}

int target_identify(const PayloadTarget *target, uint64_t image_size, TargetId *ret)
{
        struct stat status;

        *ret = (TargetId) {};
        if (target->fd < 0)
                return 0;
        if (fstat(target->fd, &status) < 0)
                return -errno;

        *ret = (TargetId) {
                .kind = S_ISBLK(status.st_mode) ? TARGET_DEVICE : TARGET_FILE,
                .device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev,
                .inode = S_ISBLK(status.st_mode) ? 0 : status.st_ino,
                .offset = target->offset,
                /* A file of its own: has it been given its size? A new one has not. */
                .size = target->resizable ? (uint64_t)status.st_size - target->offset : image_size,
        };
        return 0;
}

int checkpoint_encode(const Checkpoint *checkpoint, uint8_t ret[static CHECKPOINT_SIZE])
{
        Encoder encoder = { ret };

        encode_u64(&encoder, CHECKPOINT_MAGIC);
        encode_u64(&encoder, checkpoint->mark.n_operations);
        encode_u64(&encoder, checkpoint->mark.bytes);
        encode_u64(&encoder, checkpoint->n_resumes);
        encode_bytes(&encoder, checkpoint->metadata_sha256, SHA256_SIZE);
        for (size_t i = 0; i < ELEMENTSOF(checkpoint->targets); i++)
                encode_target(&encoder, &checkpoint->targets[i]);
        encode_state(&encoder, &checkpoint->mark.payload);
        encode_state(&encoder, &checkpoint->mark.file);
        return digest_of(ret, CHECKPOINT_SIZE - SHA256_SIZE, encoder.position);
}

int checkpoint_parse(const void *data, size_t size, Checkpoint *ret)
{
        uint8_t sha256[SHA256_SIZE];
        Parser parser = { data };
        int r;

        if (size != CHECKPOINT_SIZE)
                return -EBADMSG;
        r = digest_of(data, CHECKPOINT_SIZE - SHA256_SIZE, sha256);
        if (r < 0)
                return r;
        if (memcmp(sha256, parser.position + CHECKPOINT_SIZE - SHA256_SIZE, SHA256_SIZE) != 0
            || parse_u64(&parser) != CHECKPOINT_MAGIC)
                return -EBADMSG;

        *ret = (Checkpoint) {};
        ret->mark.n_operations = parse_u64(&parser);
        ret->mark.bytes = parse_u64(&parser);
        ret->n_resumes = parse_u64(&parser);
        parse_bytes(&parser, ret->metadata_sha256, SHA256_SIZE);
        for (size_t i = 0; i < ELEMENTSOF(ret->targets); i++)
                parse_target(&parser, &ret->targets[i]);
        parse_state(&parser, &ret->mark.payload);
        parse_state(&parser, &ret->mark.file);
        return 0;
}

static uint64_t copy_offset(const CheckpointPlace *place, size_t copy)
{
        return place->offset + copy * PAYLOAD_CHECKPOINT_STEP;
}

/* -ENOENT: nothing was ever written there. */
static int copy_read(const CheckpointPlace *place, size_t copy, Checkpoint *ret)
{
        static const uint8_t nothing[CHECKPOINT_SIZE];
        uint8_t data[CHECKPOINT_SIZE];
        int r;

        r = pread_full(place->fd, data, sizeof(data), copy_offset(place, copy));
        if (r < 0)
                return r == -ENODATA ? -EBADMSG : r;
        if (memcmp(data, nothing, sizeof(data)) == 0)
                return -ENOENT;

        return checkpoint_parse(data, sizeof(data), ret);
}

static bool checkpoint_is_newer(const Checkpoint *a, const Checkpoint *b)
{
        return a->mark.n_operations != b->mark.n_operations
                       ? a->mark.n_operations > b->mark.n_operations
                       : a->n_resumes > b->n_resumes;
}

/* The newest that is whole, and where it is. */
static int copies_read(const CheckpointPlace *place, Checkpoint *ret, size_t *ret_copy)
{
        int result = -ENOENT;

        for (size_t i = 0; i < N_COPIES; i++) {
                Checkpoint found;
                int r = copy_read(place, i, &found);

                if (r < 0 && r != -ENOENT && r != -EBADMSG)
                        return r;
                if (r == -EBADMSG && result == -ENOENT)
                        result = r;
                if (r < 0 || (result == 0 && !checkpoint_is_newer(&found, ret)))
                        continue;
                *ret = found;
                *ret_copy = i;
                result = 0;
        }

        return result;
}

/* In the place of the older one, or of what is no checkpoint. */
static int copies_write(const CheckpointPlace *place, const uint8_t *data, size_t size)
{
        size_t newest = N_COPIES - 1;
        Checkpoint found;
        int r;

        r = copies_read(place, &found, &newest);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        r = pwrite_full(place->fd, data, size, copy_offset(place, (newest + 1) % N_COPIES));
        if (r < 0)
                return r;

        return disk_io()->sync_data(place->fd);
}

static int copies_remove(const CheckpointPlace *place)
{
        static const uint8_t nothing[CHECKPOINT_SIZE];

        for (size_t i = 0; i < N_COPIES; i++) {
                int r = pwrite_full(place->fd, nothing, sizeof(nothing), copy_offset(place, i));

                if (r < 0)
                        return r;
        }

        return disk_io()->sync_data(place->fd);
}

int checkpoint_read(const CheckpointPlace *place, Checkpoint *ret)
{
        _cleanup_free_ char *data = NULL;
        size_t size, copy;
        int r;

        if (!place->path)
                return copies_read(place, ret, &copy);
        r = file_read(NULL, place->path, CHECKPOINT_SIZE, &data, &size);
        if (r < 0)
                return r == -EFBIG ? -EBADMSG : r;

        return checkpoint_parse(data, size, ret);
}

int checkpoint_write(const CheckpointPlace *place, const Checkpoint *checkpoint)
{
        uint8_t data[CHECKPOINT_SIZE];
        int r;

        r = checkpoint_encode(checkpoint, data);
        if (r < 0)
                return r;

        return place->path ? file_replace(NULL, place->path, data, sizeof(data), CHECKPOINT_MODE)
                           : copies_write(place, data, sizeof(data));
}

int checkpoint_remove(const CheckpointPlace *place)
{
        return place->path ? file_remove(NULL, place->path) : copies_remove(place);
}

static bool target_equal(const TargetId *a, const TargetId *b)
{
        return a->kind == b->kind && a->device == b->device && a->inode == b->inode
               && a->offset == b->offset && a->size == b->size;
}

bool checkpoint_matches(const Checkpoint *a, const Checkpoint *b)
{
        for (size_t i = 0; i < ELEMENTSOF(a->targets); i++)
                if (!target_equal(&a->targets[i], &b->targets[i]))
                        return false;

        return memcmp(a->metadata_sha256, b->metadata_sha256, SHA256_SIZE) == 0;
}
