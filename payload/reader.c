#include "payload/reader.h"
#include "payload/digest.h"
#include "payload/error.h"

typedef enum ReaderState {
        READER_HEADER,              /* collecting the fixed header */
        READER_MANIFEST,            /* collecting the manifest */
        READER_METADATA_SIGNATURES, /* version 2: collecting the signatures of header and manifest */
        READER_SKIP,                /* hashing data that nobody wants */
        READER_BLOBS,               /* collecting the data of one operation after the other */
        READER_SIGNATURES,          /* collecting the signatures message */
        READER_DONE,                /* the payload is complete; one more byte is an error */
        _READER_STATE_MAX,
} ReaderState;

struct PayloadReader {
        const ReaderEvents *events;
        void *userdata;
        ReaderState state;
        Buffer piece;  /* what is being collected */
        size_t wanted; /* the size at which it is complete */
        PayloadHeader header;
        Manifest *manifest;    /* owned */
        size_t partition;      /* whose operations come now */
        size_t operation;      /* the next one, counted within the partition */
        uint64_t n_operations; /* that were emitted or skipped */
        uint64_t skip_left;    /* bytes of data that are only hashed */
        Buffer manifest_data;  /* while the signatures over it are collected */
        Digest *digest;        /* of what is signed */
        Digest *file_digest;   /* of all bytes; as long as that is the same, NULL */
        bool file_hash;
        bool hash_less; /* no hash of what is signed */
        uint64_t bytes;
        uint8_t signed_sha256[SHA256_SIZE];
};

PayloadReader *reader_free(PayloadReader *reader)
{
        if (!reader)
                return NULL;

        digest_free(reader->digest);
        digest_free(reader->file_digest);
        buffer_done(&reader->manifest_data);
        manifest_free(reader->manifest);
        buffer_done(&reader->piece);
        free(reader);
        return NULL;
}

/* Begins to collect the next piece. The memory of the last one is used again. */
static void reader_collect(PayloadReader *reader, ReaderState state, size_t wanted)
{
        reader->state = state;
        reader->wanted = wanted;
        reader->piece.size = 0;
        reader->piece.max = wanted;
}

int reader_new(const ReaderEvents *events, void *userdata, bool file_hash, PayloadReader **ret)
{
        _cleanup_(reader_free_p) PayloadReader *reader = calloc(1, sizeof(*reader));
        int r;

        if (!reader)
                return -ENOMEM;

        reader->events = events;
        reader->userdata = userdata;
        reader->file_hash = file_hash;
        r = digest_new(&reader->digest);
        if (r < 0)
                return r;

        reader_collect(reader, READER_HEADER, 1);
        *ret = TAKE_PTR(reader);
        return 0;
}

/*
 * After each byte of the header, so that a wrong one is refused with the first byte that shows
 * it.
 */
static int reader_take_header(PayloadReader *reader, PayloadError *error)
{
        int r;

        r = header_parse((const uint8_t *)reader->piece.data, reader->piece.size, &reader->header,
                         error);
        if (r < 0)
                return r;

        if (r == 0)
                reader->piece.max = ++reader->wanted;
        else
                reader_collect(reader, READER_MANIFEST, reader->header.manifest_size);
        return 0;
}

/* Here begins what is not signed: from now on the two hashes differ. */
static int reader_fork_digest(PayloadReader *reader, PayloadError *error)
{
        int r;

        if (!reader->file_hash || reader->file_digest)
                return 0;
        r = digest_clone(reader->digest, &reader->file_digest);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "hashing the payload");
        return 0;
}

static int reader_end_blobs(PayloadReader *reader, PayloadError *error)
{
        uint64_t size = reader->manifest->signatures_size;
        int r;

        r = digest_peek(reader->digest, reader->signed_sha256);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "hashing the payload");
        r = reader_fork_digest(reader, error);
        if (r < 0)
                return r;

        reader_collect(reader, size > 0 ? READER_SIGNATURES : READER_DONE, (size_t)size);
        return 0;
}

static const Operation *reader_operation(const PayloadReader *reader)
{
        return &reader->manifest->partitions[reader->partition].operations[reader->operation];
}

static int reader_emit(PayloadReader *reader, PayloadError *error)
{
        const Partition *partition = &reader->manifest->partitions[reader->partition];
        const Operation *operation = &partition->operations[reader->operation++];

        reader->n_operations++;
        return reader->events->on_operation(reader->userdata, partition, operation, &reader->piece,
                                            error);
}

/* Goes on to the next operation that has data, emitting those without on the way. */
static int reader_next_blob(PayloadReader *reader, PayloadError *error)
{
        const Manifest *manifest = reader->manifest;
        int r;

        for (; reader->partition < manifest->n_partitions; reader->partition++) {
                while (reader->operation < manifest->partitions[reader->partition].n_operations) {
                        reader_collect(reader, READER_BLOBS,
                                       (size_t)reader_operation(reader)->data_length);
                        if (reader->wanted > 0)
                                return 0;
                        r = reader_emit(reader, error);
                        if (r < 0)
                                return r;
                }
                reader->operation = 0;
        }

        return reader_end_blobs(reader, error);
}

/* The metadata is complete: first who signed it, then what it says. */
static int reader_parse_manifest(PayloadReader *reader, const Buffer *signatures,
                                 PayloadError *error)
{
        uint8_t sha256[SHA256_SIZE];
        int r;

        r = digest_peek(reader->digest, sha256);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "hashing the manifest");
        r = reader->events->on_metadata
                    ? reader->events->on_metadata(reader->userdata, sha256, signatures, error)
                    : 0;
        if (r < 0)
                return r;

        r = manifest_parse(reader->header.version, (const uint8_t *)reader->manifest_data.data,
                           reader->manifest_data.size, &reader->manifest, error);
        if (r < 0)
                return r;
        r = reader->events->on_manifest(reader->userdata, reader->manifest, error);
        if (r < 0)
                return r;

        buffer_done(&reader->manifest_data);
        if (reader->skip_left == 0)
                return reader_next_blob(reader, error);
        reader_collect(reader, READER_SKIP, 0);
        return 0;
}

static int reader_take_skip(PayloadReader *reader, PayloadError *error)
{
        return reader_next_blob(reader, error);
}

static int reader_take_manifest(PayloadReader *reader, PayloadError *error)
{
        size_t size = reader->header.metadata_signature_size;
        int r;

        reader->manifest_data = reader->piece;
        reader->piece = (Buffer) {};
        if (size == 0)
                return reader_parse_manifest(reader, NULL, error);

        r = reader_fork_digest(reader, error);
        if (r < 0)
                return r;
        reader_collect(reader, READER_METADATA_SIGNATURES, size);
        return 0;
}

static int reader_take_metadata_signatures(PayloadReader *reader, PayloadError *error)
{
        return reader_parse_manifest(reader, &reader->piece, error);
}

static int reader_take_blob(PayloadReader *reader, PayloadError *error)
{
        int r;

        r = reader_emit(reader, error);
        if (r < 0)
                return r;

        return reader_next_blob(reader, error);
}

static int reader_take_signatures(PayloadReader *reader, _unused_ PayloadError *error)
{
        reader->state = READER_DONE; /* the piece stays: reader_signatures() */
        return 0;
}

typedef struct ReaderStage {
        const char *name;
        int (*take)(PayloadReader *reader, PayloadError *error); /* the piece is complete */
} ReaderStage;

static const ReaderStage reader_stages[_READER_STATE_MAX] = {
        [READER_HEADER] = { "header", reader_take_header },
        [READER_MANIFEST] = { "manifest", reader_take_manifest },
        [READER_METADATA_SIGNATURES] = { "metadata signatures", reader_take_metadata_signatures },
        [READER_SKIP] = { "data", reader_take_skip },
        [READER_BLOBS] = { "data", reader_take_blob },
        [READER_SIGNATURES] = { "signatures", reader_take_signatures },
        [READER_DONE] = { "end", NULL },
};

static bool reader_hashes_signed(const PayloadReader *reader)
{
        switch (reader->state) {
        case READER_HEADER:
        case READER_MANIFEST:
                return true;
        case READER_SKIP:
        case READER_BLOBS:
                return !reader->hash_less;
        case READER_METADATA_SIGNATURES:
        case READER_SIGNATURES:
        case READER_DONE:
        case _READER_STATE_MAX:
                return false;
        }

        return false;
}

/* So many bytes are missing to what is being collected or skipped. */
static uint64_t reader_room(const PayloadReader *reader)
{
        return reader->state == READER_SKIP ? reader->skip_left
                                            : reader->wanted - reader->piece.size;
}

static int reader_append(PayloadReader *reader, const uint8_t *data, size_t size)
{
        int r = 0;

        if (reader->state == READER_SKIP)
                reader->skip_left -= size;
        else
                r = buffer_append(&reader->piece, data, size);
        if (r >= 0 && reader_hashes_signed(reader))
                r = digest_update(reader->digest, data, size);
        if (r >= 0 && reader->file_digest)
                r = digest_update(reader->file_digest, data, size);
        return r;
}

int reader_push(PayloadReader *reader, const void *data, size_t size, PayloadError *error)
{
        const uint8_t *p = data;
        int r;

        while (size > 0) {
                size_t n = (size_t)MIN_OF((uint64_t)size, reader_room(reader));

                if (reader->state == READER_DONE)
                        return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                              "it goes on behind its end at byte %llu",
                                              (unsigned long long)reader->bytes);

                r = reader_append(reader, p, n);
                if (r < 0)
                        return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "reading the payload");
                reader->bytes += n;
                p += n;
                size -= n;

                if (reader_room(reader) > 0)
                        return 0;
                r = reader_stages[reader->state].take(reader, error);
                if (r < 0)
                        return r;
        }

        return 0;
}

int reader_finish(PayloadReader *reader, PayloadError *error)
{
        if (reader->state != READER_DONE)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                      "it ends after %llu bytes, in the middle of its %s",
                                      (unsigned long long)reader->bytes,
                                      reader_stages[reader->state].name);
        return 0;
}

void reader_mark(const PayloadReader *reader, ReaderMark *ret)
{
        *ret = (ReaderMark) { .n_operations = reader->n_operations, .bytes = reader->bytes };
        if (!reader->hash_less)
                digest_save(reader->digest, &ret->payload);
        if (reader->file_digest)
                digest_save(reader->file_digest, &ret->file);
}

void reader_skip(PayloadReader *reader, uint64_t n_operations)
{
        const Manifest *manifest = reader->manifest;

        for (; reader->partition < manifest->n_partitions; reader->partition++) {
                const Partition *partition = &manifest->partitions[reader->partition];

                for (; reader->operation < partition->n_operations; reader->operation++) {
                        if (reader->n_operations == n_operations)
                                return;
                        reader->n_operations++;
                        reader->skip_left += reader_operation(reader)->data_length;
                }
                reader->operation = 0;
        }
}

void reader_hash_less(PayloadReader *reader)
{
        reader->hash_less = true;
}

uint64_t reader_skip_end(const PayloadReader *reader)
{
        return reader->skip_left > 0 ? reader->bytes + reader->skip_left : 0;
}

bool reader_mark_is_valid(const PayloadReader *reader, const ReaderMark *mark)
{
        const Manifest *manifest = reader->manifest;
        uint64_t bytes = reader->bytes, unsigned_size = reader->header.metadata_signature_size;

        if (mark->n_operations > manifest->n_operations)
                return false;
        for (uint64_t i = 0; i < mark->n_operations; i++)
                bytes += manifest->operations[i].data_length;

        return mark->bytes == bytes
               && (reader->hash_less || mark->payload.bytes == bytes - unsigned_size)
               && (!reader->file_digest || mark->file.bytes == bytes);
}

bool reader_jump(PayloadReader *reader, const ReaderMark *mark)
{
        if (reader_skip_end(reader) != mark->bytes)
                return false;

        reader->bytes = mark->bytes;
        reader->skip_left = 0;
        if (!reader->hash_less)
                digest_restore(reader->digest, &mark->payload);
        if (reader->file_digest)
                digest_restore(reader->file_digest, &mark->file);
        return true;
}

uint64_t reader_version(const PayloadReader *reader)
{
        return reader->header.version;
}

uint64_t reader_bytes(const PayloadReader *reader)
{
        return reader->bytes;
}

const Manifest *reader_manifest(const PayloadReader *reader)
{
        return reader->manifest;
}

const uint8_t *reader_signed_sha256(const PayloadReader *reader)
{
        return reader->signed_sha256;
}

const Buffer *reader_signatures(const PayloadReader *reader)
{
        return &reader->piece;
}

int reader_file_sha256(const PayloadReader *reader, uint8_t ret[static SHA256_SIZE])
{
        return digest_peek(reader->file_digest, ret); /* asked for in reader_new() */
}
