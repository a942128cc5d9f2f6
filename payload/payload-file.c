#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "payload/digest.h"
#include "payload/error.h"
#include "payload/payload-file.h"

void payload_file_done(PayloadFile *file)
{
        manifest_free(file->manifest);
        buffer_done(&file->manifest_data);
        (void)close_fd(file->fd);
        *file = PAYLOAD_FILE_NONE;
}

static int file_read_piece(const PayloadFile *file, void *data, size_t size, uint64_t offset,
                           PayloadError *error)
{
        int r = pread_full(file->fd, data, size, offset);

        if (r == -ENODATA)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE, "it ends after %llu bytes",
                                      (unsigned long long)file->size);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "reading it");
        return 0;
}

static int file_read_header(PayloadFile *file, PayloadError *error)
{
        uint8_t data[HEADER_SIZE_MAX];
        size_t size = (size_t)MIN_OF(file->size, (uint64_t)sizeof(data));
        int r;

        r = file_read_piece(file, data, size, 0, error);
        if (r < 0)
                return r;
        r = header_parse(data, size, &file->header, error);
        if (r < 0)
                return r;
        if (r == 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                      "it ends after %llu bytes, in the middle of its header",
                                      (unsigned long long)file->size);

        file->data_offset = file->header.size + file->header.manifest_size
                            + file->header.metadata_signature_size;
        return 0;
}

static int file_read_manifest(PayloadFile *file, PayloadError *error)
{
        size_t size = file->header.manifest_size;
        uint64_t end;
        int r;

        file->manifest_data.data = malloc(size);
        if (!file->manifest_data.data)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, -ENOMEM, "reading it");
        file->manifest_data.size = file->manifest_data.capacity = file->manifest_data.max = size;

        r = file_read_piece(file, file->manifest_data.data, size, file->header.size, error);
        if (r < 0)
                return r;
        r = manifest_parse(file->header.version, (const uint8_t *)file->manifest_data.data, size,
                           &file->manifest, error);
        if (r < 0)
                return r;

        if (!add_u64(file->data_offset, file->manifest->data_size, &end)
            || !add_u64(end, file->manifest->signatures_size, &end) || end != file->size)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                      "it has %llu bytes, by its manifest %llu are wanted",
                                      (unsigned long long)file->size, (unsigned long long)end);
        return 0;
}

int payload_file_open(const char *path, PayloadFile *ret, PayloadError *error)
{
        _cleanup_(payload_file_done) PayloadFile file = PAYLOAD_FILE_NONE;
        struct stat status;
        int r;

        file.fd = RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC));
        r = file.fd < 0 ? file.fd : RET_ERRNO(fstat(file.fd, &status));
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "opening it");
        if (!S_ISREG(status.st_mode))
                return payload_refuse(error, PAYLOAD_REFUSAL_NONE, "it is no regular file");

        file.size = (uint64_t)status.st_size;
        r = file_read_header(&file, error);
        if (r < 0)
                return r;
        r = file_read_manifest(&file, error);
        if (r < 0)
                return r;

        *ret = file;
        file = PAYLOAD_FILE_NONE;
        return 0;
}

int payload_look(const char *path, bool *ret_signed, PayloadError *ret_error)
{
        _cleanup_(payload_file_done) PayloadFile file = PAYLOAD_FILE_NONE;
        int r;

        r = payload_file_open(path, &file, ret_error);
        if (r < 0)
                return r;

        *ret_signed = file.manifest->signatures_size > 0;
        return 0;
}

static int file_read_signatures(const PayloadFile *file, size_t size, uint64_t offset,
                                SignatureList *ret, PayloadError *error)
{
        _cleanup_free_ uint8_t *data = malloc(size + 1);
        int r;

        *ret = (SignatureList) {};
        if (!data)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, -ENOMEM, "reading it");
        if (size == 0)
                return 0;

        r = file_read_piece(file, data, size, offset, error);
        if (r < 0)
                return r;

        return signature_list_parse(file->header.version, data, size, ret, error);
}

int payload_file_signatures(const PayloadFile *file, SignatureList *ret, PayloadError *error)
{
        size_t size = (size_t)file->manifest->signatures_size;

        return file_read_signatures(file, size, file->size - size, ret, error);
}

int payload_file_metadata_signatures(const PayloadFile *file, SignatureList *ret,
                                     PayloadError *error)
{
        size_t size = file->header.metadata_signature_size;
        int r;

        r = file_read_signatures(file, size, file->data_offset - size, ret, error);
        if (r < 0)
                payload_error_locate(error, "metadata");
        return r;
}

static int file_hash_range(const PayloadFile *file, Digest *digest, uint64_t offset, uint64_t size)
{
        uint8_t data[64 * KIB];
        int r;

        for (uint64_t done = 0; done < size; done += sizeof(data)) {
                size_t n = (size_t)MIN_OF(size - done, (uint64_t)sizeof(data));

                r = pread_full(file->fd, data, n, offset + done);
                if (r >= 0)
                        r = digest_update(digest, data, n);
                if (r < 0)
                        return r;
        }

        return 0;
}

int payload_file_hash(const PayloadFile *file, uint8_t ret_metadata[static SHA256_SIZE],
                      uint8_t ret_sha256[static SHA256_SIZE])
{
        uint64_t metadata_size = file->data_offset - file->header.metadata_signature_size;
        _cleanup_(digest_free_p) Digest *digest = NULL;
        int r;

        r = digest_new(&digest);
        if (r >= 0)
                r = file_hash_range(file, digest, 0, metadata_size);
        if (r >= 0)
                r = digest_peek(digest, ret_metadata);
        if (r >= 0)
                r = file_hash_range(file, digest, file->data_offset, file->manifest->data_size);
        return r < 0 ? r : digest_peek(digest, ret_sha256);
}
