#include "payload/seal.h"
#include "base/io.h"
#include "payload/digest.h"
#include "payload/manifest-writer.h"

#define COPY_CHUNK (1 * MIB)

int seal_metadata(const PayloadParts *parts, const SignatureList *list, Buffer *ret)
{
        _cleanup_(buffer_done) Buffer manifest = BUFFER_MAX(MANIFEST_SIZE_MAX);
        _cleanup_(buffer_done) Buffer signatures = BUFFER_MAX(SIGNATURES_SIZE_MAX);
        SignaturesPlace place = { .version = parts->version, .data_size = parts->data_size };
        PayloadHeader header = { .version = parts->version };
        _cleanup_(manifest_free_p) Manifest *parsed = NULL;
        uint8_t data[HEADER_SIZE_MAX];
        int r;

        r = list->n_items > 0 ? signature_list_write(parts->version, list, &signatures) : 0;
        if (r < 0)
                return r;
        place.size = signatures.size;
        r = manifest_write_signatures(parts->manifest->data, parts->manifest->size, &place,
                                      &manifest);
        if (r < 0)
                return r;

        /* What this engine did not know in it may not come out as it went in: never sign that. */
        r = manifest_parse(parts->version, (const uint8_t *)manifest.data, manifest.size, &parsed,
                           NULL);
        if (r < 0)
                return r;

        header.manifest_size = manifest.size;
        if (parts->version == HEADER_VERSION_2)
                header.metadata_signature_size = signatures.size;
        r = buffer_append(ret, data, header_write(&header, data));
        if (r < 0)
                return r;

        return buffer_append(ret, manifest.data, manifest.size);
}

/* Hashes size bytes of memory, and writes them where an output is wanted. */
static int seal_bytes(const void *data, size_t size, int output_fd, Digest *digest)
{
        int r;

        r = digest_update(digest, data, size);
        if (r < 0 || output_fd < 0)
                return r;

        return write_full(output_fd, data, size);
}

static int seal_data(const PayloadParts *parts, int output_fd, Digest *digest)
{
        _cleanup_free_ uint8_t *buffer = malloc(COPY_CHUNK);
        uint64_t done = 0;
        int r;

        if (!buffer)
                return -ENOMEM;

        while (done < parts->data_size) {
                size_t n = (size_t)MIN_OF(parts->data_size - done, COPY_CHUNK);

                r = pread_full(parts->data_fd, buffer, n, parts->data_offset + done);
                if (r >= 0)
                        r = seal_bytes(buffer, n, output_fd, digest);
                if (r < 0)
                        return r;
                done += n;
        }

        return 0;
}

int seal_payload(const PayloadParts *parts, const Buffer *metadata, const Buffer *signatures,
                 int output_fd, uint8_t ret_sha256[static SHA256_SIZE])
{
        _cleanup_(digest_free_p) Digest *digest = NULL;
        int r;

        r = digest_new(&digest);
        if (r < 0)
                return r;
        r = seal_bytes(metadata->data, metadata->size, output_fd, digest);
        /* They are not part of what is signed. */
        if (r >= 0 && output_fd >= 0 && signatures->size > 0)
                r = write_full(output_fd, signatures->data, signatures->size);
        if (r < 0)
                return r;
        r = seal_data(parts, output_fd, digest);
        if (r < 0)
                return r;

        return digest_peek(digest, ret_sha256);
}
