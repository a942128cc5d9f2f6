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
static const char *arg_format = "v2";
static const char *arg_compression = "auto";
static uint64_t arg_level;
static uint64_t arg_jobs;
static TextList arg_keys;
static const char *arg_version;
static const char *arg_min_engine;
static bool arg_json;
static uint64_t arg_timestamp;
static uint64_t arg_expires;

const Option create_options[] = {
        { "image", 'i', OPTION_TEXT, &arg_image, "NEW", "the image of the slot" },
        { "kernel", 0, OPTION_TEXT, &arg_kernel, "FILE", "the kernel that goes with it" },
        { "pcr-policy", 0, OPTION_TEXT, &arg_pcr_policy, "FILE", "the PCR policy (zip)" },
        { "output", 'o', OPTION_TEXT, &arg_output, "FILE", "the payload" },
        { "format", 0, OPTION_TEXT, &arg_format, "v1|v2", "v1 for CoreOS and Flatcar hosts (v2)" },
        { "compression", 0, OPTION_TEXT, &arg_compression, "NAME",
          "auto, zstd, xz, bzip2, none (auto)" },
        { "level", 0, OPTION_NUMBER, &arg_level, "N", "of the compression", 19 },
        { "version", 0, OPTION_TEXT, &arg_version, "V", "of the image (v2)" },
        { "timestamp", 0, OPTION_NUMBER, &arg_timestamp, "SECONDS",
          "when it was made, since 1970 (v2)", INT64_MAX },
        { "expires", 0, OPTION_NUMBER, &arg_expires, "SECONDS",
          "refused from then on, since 1970 (v2)", INT64_MAX },
        { "min-engine", 0, OPTION_TEXT, &arg_min_engine, "VERSION",
          "refused by older updaters (v2)" },
        { "key", 'k', OPTION_LIST, &arg_keys, "PRIVATE.pem", "sign with it; several are possible" },
        { "jobs", 'j', OPTION_NUMBER, &arg_jobs, "N", "threads (one for each processor)",
          POOL_THREADS_MAX },
        { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON" },
        {},
};

typedef struct Creation {
        uint64_t version; /* of the format */
        Compression compression;
        unsigned level;
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

/* What each version of the format can hold; "auto" is the first one. */
static const struct {
        const char *name;
        uint64_t version;
        Compression compressions[_COMPRESSION_MAX];
        size_t n_compressions;
        const char *words;
} formats[] = {
        { "v1", HEADER_VERSION_1, { COMPRESSION_BZIP2, COMPRESSION_NONE }, 2, "bzip2 and none" },
        { "v2",
          HEADER_VERSION_2,
          { COMPRESSION_ZSTD, COMPRESSION_XZ, COMPRESSION_BZIP2, COMPRESSION_NONE },
          4,
          "zstd, xz, bzip2 and none" },
};

static int format_choose(Creation *creation)
{
        Compression wanted = compression_from_string(arg_compression);
        size_t format = 0;

        while (format < ELEMENTSOF(formats) && !streq(formats[format].name, arg_format))
                format++;
        if (format == ELEMENTSOF(formats))
                return program_usage("--format: \"%s\" is not known; v1 and v2 are", arg_format);
        creation->version = formats[format].version;
        if (creation->version == HEADER_VERSION_1
            && (arg_version || arg_min_engine || arg_timestamp || arg_expires))
                return program_usage("format v1 has no version, time or minimum engine");

        creation->compression = formats[format].compressions[0];
        if (streq(arg_compression, "auto"))
                return 0;
        for (size_t i = 0; i < formats[format].n_compressions; i++)
                if (formats[format].compressions[i] == wanted) {
                        creation->compression = wanted;
                        return 0;
                }
        return program_usage("--compression: \"%s\" is not known; %s has %s", arg_compression,
                             arg_format, formats[format].words);
}

static int level_choose(Creation *creation)
{
        unsigned most = compression_level_max(creation->compression);

        if (arg_level > most)
                return program_usage("--level: the most of %s is %u",
                                     compression_to_string(creation->compression), most);
        creation->level =
                arg_level ? (unsigned)arg_level : compression_level_default(creation->compression);
        return 0;
}

static int arguments_check(void)
{
        int r;

        if (!arg_image)
                return program_usage("--image is missing: the image to make a payload of");
        r = tool_output_check(arg_output, "the payload");
        if (r != 0)
                return r;
        if (tool_same_file(arg_image, arg_output)
            || (arg_kernel && tool_same_file(arg_kernel, arg_output)))
                return log_error_return(-EINVAL, "%s: it can not be image and output at once",
                                        arg_output);
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
                .version = creation->version,
                .compression = creation->compression,
                .level = creation->level,
                .image_version = arg_version,
                .minimum_engine = arg_min_engine,
                .timestamp = arg_timestamp,
                .expires = arg_expires,
                .jobs = arg_jobs ? (unsigned)arg_jobs : pool_threads_default(),
                .on_progress = on_progress,
                .userdata = &creation->progress,
        };
        int r;

        r = output_file_open(arg_output, &creation->output);
        if (r < 0)
                return tool_output_failed(arg_output, r);
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
        if (r == -ENOSPC || r == -EDQUOT)
                return log_error_errno(r, "writing %s: %m", arg_output);
        return r < 0 ? log_error_errno(r, "%s: %m", path) : 0;
}

static int creation_seal(Creation *creation)
{
        _cleanup_(buffer_done) Buffer manifest = BUFFER_MAX(SIZE_MAX - 1);
        PayloadParts parts = {
                .version = creation->version,
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
        r = format_choose(&creation);
        if (r != 0)
                return r;
        r = level_choose(&creation);
        if (r != 0)
                return r;
        r = tool_load_private_keys(&arg_keys, &creation.keys);
        if (r != 0)
                return r;

        r = creation_run(&creation);
        if (r == 0 && arg_keys.n_items == 0)
                log_notice("%s is not signed: no host takes it before \"payload sign\"",
                           arg_output);
        return r;
}
