#include <fcntl.h>

#include "base/log.h"
#include "base/progress.h"
#include "payload/output-file.h"
#include "payload/payload-tool.h"
#include "payload/pool.h"
#include "payload/tool-seal.h"
#include "payload/writer.h"

static const char *arg_image;
static const char *arg_kernel;
static const char *arg_pcr_policy;
static const char *arg_output;
static const char *arg_format = "v1";
static const char *arg_compression = "auto";
static uint64_t arg_level;
static uint64_t arg_jobs;
static TextList arg_keys;

const Option create_options[] = {
        { "image", 'i', OPTION_TEXT, &arg_image, "NEW", "the image of the slot" },
        { "kernel", 0, OPTION_TEXT, &arg_kernel, "FILE", "the kernel that goes with it" },
        { "pcr-policy", 0, OPTION_TEXT, &arg_pcr_policy, "FILE", "the PCR policy (zip)" },
        { "output", 'o', OPTION_TEXT, &arg_output, "FILE", "the payload" },
        { "format", 0, OPTION_TEXT, &arg_format, "v1", "format version (v1)" },
        { "compression", 0, OPTION_TEXT, &arg_compression, "NAME", "auto, bzip2 or none (auto)" },
        { "level", 0, OPTION_NUMBER, &arg_level, "N", "of the compression (bzip2: 9)", 9 },
        { "key", 'k', OPTION_LIST, &arg_keys, "PRIVATE.pem", "sign with it; several are possible" },
        { "jobs", 'j', OPTION_NUMBER, &arg_jobs, "N", "threads (one for each processor)",
          POOL_THREADS_MAX },
        {},
};

typedef struct Creation {
        Compression compression;
        PrivateKeys keys;
        PayloadWriter *writer;
        Progress progress;
        OutputFile output;
        int data_fd;
} Creation;

static void creation_done(Creation *creation)
{
        private_keys_done(&creation->keys);
        writer_free(creation->writer);
        output_file_done(&creation->output);
        (void)close_fd(creation->data_fd);
}

static void on_progress(void *userdata, uint64_t done)
{
        progress_update(userdata, done);
}

static int compression_choose(Compression *ret)
{
        Compression compression = streq(arg_compression, "auto")
                                          ? COMPRESSION_BZIP2
                                          : compression_from_string(arg_compression);

        if (compression < 0)
                return program_usage("--compression: \"%s\" is not known; auto, bzip2 or none",
                                     arg_compression);
        *ret = compression;
        return 0;
}

static int arguments_check(void)
{
        if (!arg_image)
                return program_usage("--image is missing: the image to make a payload of");
        if (!arg_output)
                return program_usage("--output is missing: where the payload goes");
        if (!streq(arg_format, "v1"))
                return program_usage("--format: \"%s\" is not known; v1 is", arg_format);
        return 0;
}

static uint64_t file_size(const char *path)
{
        struct stat status;

        return path && stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static int creation_start(Creation *creation)
{
        WriterParameters parameters = {
                .compression = creation->compression,
                .level = arg_level ? (unsigned)arg_level
                                   : compression_level_default(creation->compression),
                .jobs = arg_jobs ? (unsigned)arg_jobs : pool_threads_default(),
                .on_progress = on_progress,
                .userdata = &creation->progress,
        };
        int r;

        r = output_file_open(arg_output, &creation->output);
        if (r < 0)
                return log_error_errno(r, "%s: %m", arg_output);
        creation->data_fd = output_file_scratch(creation->output.path);
        if (creation->data_fd < 0)
                return log_error_errno(creation->data_fd, "a scratch file beside %s: %m",
                                       arg_output);

        parameters.data_fd = creation->data_fd;
        r = writer_new(&parameters, &creation->writer);
        return r < 0 ? log_error_errno(r, "starting %u threads: %m", parameters.jobs) : 0;
}

static int creation_add(Creation *creation, PartitionRole role, const char *path)
{
        /* Old hosts want the size of the slot's image to be a multiple of a block. */
        uint64_t padding = role == PARTITION_SLOT ? BLOCK_SIZE_DEFAULT : 1;
        uint64_t size = file_size(path);
        _cleanup_close_ int fd = -1;
        int r;

        if (!path)
                return 0;
        fd = RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC));
        if (fd < 0)
                return log_error_errno(fd, "%s: %m", path);
        if (size % padding != 0)
                log_notice("%s: its %llu bytes are no multiple of %d; padded with zeros", path,
                           (unsigned long long)size, BLOCK_SIZE_DEFAULT);

        r = writer_add_image(creation->writer, role, fd, padding);
        if (r == -ENODATA)
                return log_error_return(r, "%s: it is empty", path);
        if (r == -EFBIG)
                return log_error_return(r, "%s: it is too large", path);
        return r < 0 ? log_error_errno(r, "%s: %m", path) : 0;
}

static int creation_seal(Creation *creation)
{
        _cleanup_(buffer_done) Buffer manifest = BUFFER_MAX(SIZE_MAX - 1);
        PayloadParts parts = {
                .manifest = &manifest,
                .data_fd = creation->data_fd,
                .data_size = writer_data_size(creation->writer),
        };
        int r;

        r = writer_manifest(creation->writer, &manifest);
        if (r == -EFBIG)
                return log_error_return(r, "%s: format v1 holds at most 4 GiB of data", arg_output);
        if (r < 0)
                return log_error_errno(r, "writing the manifest: %m");

        return tool_seal(&parts, &creation->keys, arg_output, &creation->output);
}

static int creation_run(Creation *creation)
{
        static const PartitionRole roles[] = { PARTITION_SLOT, PARTITION_KERNEL,
                                               PARTITION_PCR_POLICY };
        const char *paths[] = { arg_image, arg_kernel, arg_pcr_policy };
        uint64_t total = 0;
        int r;

        r = creation_start(creation);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                total += file_size(paths[i]);
        progress_start(&creation->progress, stderr, "compressing", total);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                r = creation_add(creation, roles[i], paths[i]);
                if (r < 0)
                        return r;
        }
        progress_finish(&creation->progress, total);

        return creation_seal(creation);
}

int verb_create(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(creation_done) Creation creation = {
                .output = OUTPUT_FILE_NONE,
                .data_fd = -1,
        };
        int r;

        r = arguments_check();
        if (r != 0)
                return r;
        r = compression_choose(&creation.compression);
        if (r != 0)
                return r;
        r = tool_load_private_keys(&arg_keys, &creation.keys);
        if (r != 0)
                return r;

        return creation_run(&creation);
}
