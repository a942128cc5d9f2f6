#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "payload/output-file.h"
#include "payload/payload-tool.h"
#include "payload/pool.h"

#define INPUT_CHUNK \
        (128 * KIB) /* small enough to stay in the cache until it was hashed and copied */

static TextList arg_keys;
static const char *arg_target;
static const char *arg_kernel_target;
static const char *arg_base;
static const char *arg_kernel_base;
static uint64_t arg_signatures;
static uint64_t arg_jobs;
static const char *arg_checkpoint;
static bool arg_cached;
static bool arg_operations;
static bool arg_skip_same;
static bool arg_json;

const Option verify_options[] = {
        { "key", 'k', OPTION_LIST, &arg_keys, "PUBLIC.pem",
          "trust it; a directory: every *.pem in it" },
        { "signatures", 0, OPTION_NUMBER, &arg_signatures, "N",
          "so many trusted keys must have signed (1)", SIGNATURES_MAX },
        { "operations", 0, OPTION_FLAG, &arg_operations, NULL,
          "hash the data of each operation, too" },
        { "jobs", 'j', OPTION_NUMBER, &arg_jobs, "N", "threads (one for each processor)",
          POOL_THREADS_MAX },
        { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON" },
        {},
};

const Option apply_options[] = {
        { "key", 'k', OPTION_LIST, &arg_keys, "PUBLIC.pem",
          "trust it; a directory: every *.pem in it" },
        { "signatures", 0, OPTION_NUMBER, &arg_signatures, "N",
          "so many trusted keys must have signed (1)", SIGNATURES_MAX },
        { "target", 't', OPTION_TEXT, &arg_target, "NEW", "where the image goes: file or device" },
        { "base", 'b', OPTION_TEXT, &arg_base, "OLD", "what a delta starts from: file or device" },
        { "kernel-target", 0, OPTION_TEXT, &arg_kernel_target, "FILE", "where the kernel goes" },
        { "kernel-base", 0, OPTION_TEXT, &arg_kernel_base, "FILE",
          "what a delta of the kernel starts from" },
        { "checkpoint", 0, OPTION_TEXT, &arg_checkpoint, "FILE",
          "go on where a run that was interrupted left off" },
        { "skip-same", 0, OPTION_FLAG, &arg_skip_same, NULL,
          "write only what is not there already" },
        { "cached", 0, OPTION_FLAG, &arg_cached, NULL,
          "do not read the image back from the medium" },
        { "jobs", 'j', OPTION_NUMBER, &arg_jobs, "N", "threads (one for each processor)",
          POOL_THREADS_MAX },
        { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON" },
        {},
};

/* One --target: a file that appears when all is verified, or a block device. */
typedef struct Destination {
        const char *path;  /* as given, or NULL: not wanted */
        OutputFile output; /* of a regular file */
        int device_fd;     /* owned */
        PayloadTarget target;
} Destination;

#define DESTINATION_NONE                                                                   \
        (Destination)                                                                      \
        {                                                                                  \
                .output = OUTPUT_FILE_NONE, .device_fd = -1, .target = PAYLOAD_TARGET_NONE \
        }

static void destination_done(Destination *destination)
{
        /* Without its checkpoint nobody can go on with it. */
        if (arg_checkpoint && access(arg_checkpoint, F_OK) < 0)
                destination->output.keep = false;
        output_file_done(&destination->output);
        (void)close_fd(destination->device_fd);
}

static int destination_open_device(Destination *destination)
{
        uint64_t size;
        int fd;

        /*
         * O_EXCL: nobody else has it, no file system on it is mounted, no other device is made
         * of it.
         */
        fd = RET_ERRNO(open(destination->path, O_RDWR | O_EXCL | O_CLOEXEC));
        if (fd == -EBUSY)
                return log_error_return(fd, "%s: it is in use: mounted, or part of another device",
                                        destination->path);
        if (fd < 0)
                return log_error_errno(fd, "%s: %m", destination->path);

        destination->device_fd = fd;
        if (ioctl(fd, BLKGETSIZE64, &size) < 0)
                return log_error_errno(-errno, "%s: asking for its size: %m", destination->path);
        destination->target = (PayloadTarget) { .fd = fd, .size = size };
        return 0;
}

static int destination_open(const char *path, Destination *destination)
{
        struct stat status;
        int r;

        destination->path = path;
        if (!path)
                return 0;
        if (stat(path, &status) == 0 && S_ISBLK(status.st_mode))
                return destination_open_device(destination);

        r = arg_checkpoint ? output_file_resume(path, &destination->output)
                           : output_file_open(path, &destination->output);
        if (r < 0)
                return tool_output_failed(path, r);
        destination->target = (PayloadTarget) { .fd = destination->output.fd, .resizable = true };
        return 0;
}

static int destination_commit(Destination *destination)
{
        int r;

        if (destination->output.fd < 0)
                return 0;

        r = output_file_commit(&destination->output);
        return r < 0 ? log_error_errno(r, "%s: %m", destination->path) : 0;
}

/* A payload that failed may have written to a device before it did. */
static void destination_warn(const Destination *destination)
{
        if (destination->device_fd >= 0)
                log_warning("%s: what was on it may be overwritten; do not use it",
                            destination->path);
}

typedef struct Input {
        const char *path;
        int fd; /* owned, unless it is standard input */
        bool seekable;
        uint64_t size; /* 0: not known */
} Input;

static void input_done(Input *input)
{
        if (input->fd != STDIN_FILENO)
                (void)close_fd(input->fd);
}

static int input_open(const char *path, Input *ret)
{
        Input input = { .path = path, .fd = STDIN_FILENO };
        struct stat status;

        if (!streq(path, "-"))
                input.fd = RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC));
        if (input.fd < 0)
                return log_error_errno(input.fd, "%s: %m", path);
        if (fstat(input.fd, &status) == 0 && S_ISREG(status.st_mode) && input.fd != STDIN_FILENO) {
                input.seekable = true;
                input.size = (uint64_t)status.st_size;
        }

        *ret = input;
        return 0;
}

/* What the engine found out about the checkpoint, once it has: a resume, or why there is none. */
static int input_resume(const Input *input, PayloadApply *apply, bool *told)
{
        const char *problem = payload_apply_checkpoint_problem(apply);
        uint64_t offset = payload_apply_resume_offset(apply);

        if (*told || (!problem && offset == 0))
                return 0;
        *told = true;
        if (problem) {
                log_warning("%s: %s; the payload is applied without it", arg_checkpoint, problem);
                return 0;
        }

        log_info("%s: going on at byte %llu", input->path, (unsigned long long)offset);
        if (!input->seekable)
                return 0; /* it is read up to there */
        if (lseek(input->fd, (off_t)offset, SEEK_SET) < 0)
                return -errno;
        return payload_apply_resume(apply);
}

/* Pushes everything that the input gives. */
static int input_push(const Input *input, PayloadApply *apply, Progress *progress,
                      PayloadError *error)
{
        _cleanup_free_ uint8_t *buffer = malloc(INPUT_CHUNK);
        bool told = false;
        int r;

        if (!buffer)
                return -ENOMEM;

        for (;;) {
                ssize_t n = read_some(input->fd, buffer, INPUT_CHUNK);
                if (n <= 0)
                        return (int)n;
                r = payload_apply_push(apply, buffer, (size_t)n, error);
                if (r >= 0)
                        r = input_resume(input, apply, &told);
                if (r < 0)
                        return r;
                progress_update(progress, payload_apply_bytes(apply));
        }
}

/*
 * One pass over the payload. Logs; *ret is the finished machine, for its results. *ret_touched is
 * set in any case: are the targets still as they were?
 */
static int input_run(const Input *input, const PayloadApplyParameters *parameters,
                     const char *label, bool *ret_touched, PayloadApply **ret)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        PayloadError error = {};
        Progress progress;
        int r;

        *ret_touched = false;
        r = payload_apply_new(parameters, &apply);
        if (r < 0)
                return log_error_errno(r, "%s: %m", input->path);

        progress_start(&progress, stderr, label, parameters->file_size);
        r = input_push(input, apply, &progress, &error);
        if (r >= 0)
                r = payload_apply_finish(apply, &error);
        progress_finish(&progress, payload_apply_bytes(apply));
        *ret_touched = payload_apply_touched(apply);
        if (r < 0)
                return tool_refused(input->path, r, &error);

        *ret = TAKE_PTR(apply);
        return 0;
}

/* A --base; an fd of -1: none was given. */
static void base_done(PayloadSource *base)
{
        (void)close_fd(base->fd);
}

static int base_open(const char *path, const Destination *destination, PayloadSource *ret)
{
        struct stat status, target;
        off_t size;
        int fd;

        if (!path)
                return 0;
        fd = RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC));
        if (fd < 0)
                return log_error_errno(fd, "%s: %m", path);

        ret->fd = fd;
        size = RET_ERRNO(lseek(fd, 0, SEEK_END)); /* works for files and devices */
        if (size < 0 || fstat(fd, &status) < 0)
                return log_error_errno(size < 0 ? (int)size : -errno, "%s: %m", path);
        ret->size = (uint64_t)size;
        if (destination->device_fd >= 0 && fstat(destination->device_fd, &target) == 0
            && S_ISBLK(status.st_mode) && status.st_rdev == target.st_rdev)
                return log_error_return(-EINVAL, "%s: it can not be base and target at once", path);
        return 0;
}

static int result_print(const PayloadApply *apply, const char *done)
{
        char sha256[SHA256_TEXT];
        const char *signer;
        json_t *signers;

        (void)sha256_format(payload_apply_image_sha256(apply), sha256);
        if (!arg_json) {
                printf("%s: image of %llu bytes, sha256 %s\n", done,
                       (unsigned long long)payload_apply_image_size(apply), sha256);
                for (size_t i = 0; (signer = payload_apply_signer(apply, i)); i++)
                        printf("signed by %s\n", signer);
                return 0;
        }

        signers = json_array();
        for (size_t i = 0; (signer = payload_apply_signer(apply, i)); i++)
                (void)json_array_append_new(signers, json_string(signer));
        return tool_print_json(json_pack("{s:I, s:s, s:o}", "image_size",
                                         (json_int_t)payload_apply_image_size(apply),
                                         "image_sha256", sha256, "signers", signers));
}

static int input_verify(const Input *input, const PayloadKeys *keys, PayloadHashing hashing,
                        PayloadApply **ret)
{
        bool touched;
        PayloadApplyParameters parameters = {
                .keys = keys,
                .target = PAYLOAD_TARGET_NONE,
                .kernel = PAYLOAD_TARGET_NONE,
                .file_size = input->size,
                .now = now_realtime() / USEC_PER_SEC,
                .jobs = arg_jobs ? (unsigned)arg_jobs : pool_threads_default(),
                .signatures_min = (unsigned)arg_signatures,
                .hashing = hashing,
        };

        return input_run(input, &parameters, "verifying", &touched, ret);
}

int verb_verify(_unused_ int argc, char **argv)
{
        _cleanup_(payload_keys_free_p) PayloadKeys *keys = NULL;
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        _cleanup_(input_done) Input input = { .fd = -1 };
        int r;

        r = tool_load_keys(&arg_keys, &keys);
        if (r != 0)
                return r;
        r = input_open(argv[1], &input);
        if (r < 0)
                return r;
        r = input_verify(&input, keys, arg_operations ? PAYLOAD_HASH_ALL : PAYLOAD_HASH_WHOLE,
                         &apply);
        if (r < 0)
                return r;

        return result_print(apply, "verified");
}

/*
 * A file is verified from its first to its last byte before anything is written; what comes
 * through a pipe is checked while it is written, and the file appears, or the device is worth
 * something, only at the end.
 */
static int input_apply(const Input *input, const PayloadApplyParameters *parameters,
                       Destination *slot, Destination *kernel)
{
        _cleanup_(payload_apply_free_p) PayloadApply *verified = NULL, *apply = NULL;
        bool touched = false;
        int r;

        if (input->seekable) {
                r = input_verify(input, parameters->keys, PAYLOAD_HASH_WHOLE, &verified);
                if (r >= 0 && lseek(input->fd, 0, SEEK_SET) < 0)
                        r = log_error_errno(-errno, "%s: %m", input->path);
                if (r < 0)
                        return r;
        }

        r = input_run(input, parameters, "applying", &touched, &apply);
        if (r < 0 && touched) {
                destination_warn(slot);
                destination_warn(kernel);
        }
        if (r < 0)
                return r;

        r = destination_commit(kernel);
        if (r < 0)
                return r;
        r = destination_commit(slot);
        if (r < 0)
                return r;
        r = arg_checkpoint ? file_remove(NULL, arg_checkpoint) : 0;
        if (r < 0)
                return log_error_errno(r, "%s: %m", arg_checkpoint);

        return result_print(apply, "applied");
}

static int targets_check(const char *input)
{
        const char *targets[] = { arg_target, arg_kernel_target };

        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                if (targets[i] && tool_same_file(targets[i], input))
                        return log_error_return(
                                -EINVAL, "%s: it can not be payload and target at once", input);
        if (arg_kernel_target
            && (streq(arg_target, arg_kernel_target)
                || tool_same_file(arg_target, arg_kernel_target)))
                return log_error_return(-EINVAL, "%s: --target and --kernel-target are the same",
                                        arg_target);
        return 0;
}

static int apply_open(Destination *slot, Destination *kernel, PayloadSource *base,
                      PayloadSource *kernel_base)
{
        int r;

        r = destination_open(arg_target, slot);
        if (r < 0)
                return r;
        r = destination_open(arg_kernel_target, kernel);
        if (r < 0)
                return r;
        r = base_open(arg_base, slot, base);
        if (r < 0)
                return r;

        return base_open(arg_kernel_base, kernel, kernel_base);
}

int verb_apply(_unused_ int argc, char **argv)
{
        _cleanup_(payload_keys_free_p) PayloadKeys *keys = NULL;
        _cleanup_(destination_done) Destination slot = DESTINATION_NONE, kernel = DESTINATION_NONE;
        _cleanup_(base_done) PayloadSource base = { .fd = -1 }, kernel_base = { .fd = -1 };
        _cleanup_(input_done) Input input = { .fd = -1 };
        PayloadApplyParameters parameters;
        int r;

        if (!arg_target)
                return program_usage("--target is missing: where the image goes");
        r = tool_load_keys(&arg_keys, &keys);
        if (r != 0)
                return r;
        r = targets_check(argv[1]);
        if (r < 0)
                return r;
        r = input_open(argv[1], &input);
        if (r < 0)
                return r;
        r = apply_open(&slot, &kernel, &base, &kernel_base);
        if (r < 0)
                return r;

        parameters = (PayloadApplyParameters) {
                .keys = keys,
                .target = slot.target,
                .kernel = kernel.target,
                .base = arg_base ? &base : NULL,
                .kernel_base = arg_kernel_base ? &kernel_base : NULL,
                .file_size = input.size,
                .cached = arg_cached,
                .direct = true,
                .skip_same = arg_skip_same,
                .now = now_realtime() / USEC_PER_SEC,
                .jobs = arg_jobs ? (unsigned)arg_jobs : pool_threads_default(),
                .signatures_min = (unsigned)arg_signatures,
                .hashing = input.seekable ? PAYLOAD_HASH_OPERATIONS : PAYLOAD_HASH_ALL,
                .checkpoint = arg_checkpoint,
        };
        return input_apply(&input, &parameters, &slot, &kernel);
}
