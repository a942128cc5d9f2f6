/*
 * The worker of the update daemon: fetches a payload, checks it and writes it to the target. It needs no
 * privilege and no file: plan on fd 0, reports on fd 1, target on fd 3, trusted keys (PEM) on fd 4, and the payload
 * on fd 5 when the plan has no URL; where the plan has room for a kernel, its file is fd 6, and where it has a
 * checkpoint, that is in fd 7.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/io.h"
#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "fetch-file.h"
#include "worker.h"

#define PROGRESS_INTERVAL (100 * USEC_PER_MSEC)
#define PEM_END           "-----END PUBLIC KEY-----"

typedef struct Job {
        UpdatePlan plan;
        PayloadKeys *keys;
        PayloadApply *apply;
        uint64_t fetched, size; /* bytes of the payload; size 0: not known yet */
        uint64_t continued;     /* what is before that byte was done by an earlier worker */
        bool problem_told;
        int judged; /* what was reported of an address last, and which one it was */
        size_t judged_url;
        usec_t reported;
        int exit_status;
        sd_event *event;
} Job;

static void job_done(Job *job)
{
        payload_apply_free(job->apply);
        payload_keys_free(job->keys);
        update_plan_done(&job->plan);
        sd_event_unref(job->event);
}

/* One line for the daemon. When it is gone, SIGPIPE or the watch on fd 1 ends us. */
static void report(const char *key, const char *format, ...) _printf_(2, 3);
static void report(const char *key, const char *format, ...)
{
        _cleanup_free_ char *value = NULL, *line = NULL;
        va_list arguments;

        va_start(arguments, format);
        (void)text_vformat(&value, format, arguments);
        va_end(arguments);
        if (!value || text_format(&line, "%s=%s\n", key, value) < 0)
                return;
        if (write_full(STDOUT_FILENO, line, strlen(line)) < 0)
                exit(EXIT_REFUSED);
}

static void report_failure(const UpdateFailure *failure)
{
        report("ERROR", "%s %s", update_error_to_string(failure->code),
               update_failure_text(failure));
}

/* What the engine refused, in the daemon's words. */
static int job_refuse(int error, PayloadError *why, UpdateFailure *failure)
{
        (void)update_failure_set(failure, error, update_error_from_payload(why->refusal), "%s",
                                 why->text ? why->text : strerror(-error));
        payload_error_done(why);
        return error;
}

static int on_begin(void *userdata, UpdateFailure *failure)
{
        Job *job = userdata;
        const PayloadApplyParameters parameters = {
                .keys = job->keys,
                .target = {
                        .fd = WORKER_FD_TARGET,
                        .offset = job->plan.target_offset,
                        .size = job->plan.target_size,
                        .resizable = job->plan.target_size == 0,
                },
                .target_size_max = job->plan.target_size == 0 ? PLAN_FILE_MAX : 0,
                .kernel = {
                        .fd = job->plan.kernel_size_max > 0 ? WORKER_FD_KERNEL : -1,
                        .size = job->plan.kernel_size_max,
                        .resizable = true,
                        .optional = true,
                },
                .size = job->plan.size,
                .sha256 = job->plan.announced ? job->plan.sha256 : NULL,
                .now = job->plan.now,
                .timestamp_min = job->plan.made_min,
                .checkpoint_fd = job->plan.checkpoint > 0 ? WORKER_FD_CHECKPOINT : 0,
                .checkpoint_offset = job->plan.checkpoint,
        };
        int r;

        job->apply = payload_apply_free(job->apply);
        job->fetched = job->continued = 0;
        r = payload_apply_new(&parameters, &job->apply);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_GENERIC,
                                          "setting up the payload engine: %s", strerror(-r));
        return 0;
}

/* The engine has seen the manifest: what is there of an earlier run, or why that is of no use. */
static void job_look_back(Job *job)
{
        const char *problem = payload_apply_checkpoint_problem(job->apply);
        uint64_t offset = payload_apply_resume_offset(job->apply);

        if (problem && !job->problem_told)
                log_warning("checkpoint: %s; the payload is written from its beginning", problem);
        job->problem_told |= problem != NULL;
        if (offset == 0 || job->continued > 0)
                return;
        job->continued = offset;
        report("CONTINUED", "%llu", (unsigned long long)offset);
}

static uint64_t on_wanted(void *userdata)
{
        return payload_apply_resume_offset(((Job *)userdata)->apply);
}

static int on_jump(void *userdata, UpdateFailure *failure)
{
        Job *job = userdata;
        int r = payload_apply_resume(job->apply);

        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_GENERIC,
                                          "going on with an interrupted update: %s", strerror(-r));
        job->fetched = job->continued;
        return 0;
}

static int on_push(const void *data, size_t size, void *userdata, UpdateFailure *failure)
{
        PayloadError why = {};
        Job *job = userdata;
        usec_t now;
        int r;

        r = payload_apply_push(job->apply, data, size, &why);
        if (r < 0)
                return job_refuse(r, &why, failure);

        job_look_back(job);
        job->fetched += size;
        now = now_boottime();
        if (now - job->reported >= PROGRESS_INTERVAL || job->fetched == job->size) {
                report("PROGRESS", "%llu", (unsigned long long)job->fetched);
                job->reported = now;
        }
        return 0;
}

static void on_judge(size_t url, int verdict, void *userdata)
{
        Job *job = userdata;
        const char *key = verdict == RETRIES_GOOD     ? "URL_GOOD"
                          : verdict == RETRIES_FAILED ? "URL_FAILED"
                                                      : "URL_REFUSED";

        if (job->judged == verdict && job->judged_url == url)
                return; /* every connection brings something */
        job->judged = verdict;
        job->judged_url = url;
        report(key, "%zu", url);
}

static void on_announce(uint64_t size, void *userdata)
{
        Job *job = userdata;

        job->size = size;
        report("SIZE", "%llu", (unsigned long long)size);
}

static void on_resume(uint64_t offset, _unused_ void *userdata)
{
        report("RESUMED", "%llu", (unsigned long long)offset);
}

/* What is signed counts: a server that announces a new version must not deliver an old one. */
static int job_check_version(const Job *job, UpdateFailure *failure)
{
        const char *version = payload_apply_image_version(job->apply);

        if (is_empty(version) || !*job->plan.version || streq(version, job->plan.version))
                return 0;
        return update_failure_set(failure, -EBADMSG, UPDATE_ERROR_PAYLOAD_MANIFEST,
                                  "the payload holds version %s, and version %s was announced",
                                  version, job->plan.version);
}

static void job_report_facts(const Job *job)
{
        const char *version = payload_apply_image_version(job->apply);
        const uint8_t *image_sha256 = payload_apply_image_sha256(job->apply);
        _cleanup_free_ char *sha256 = NULL;

        report("IMAGE", "%llu", (unsigned long long)payload_apply_image_size(job->apply));
        if (image_sha256 && hex_encode(image_sha256, SHA256_SIZE, &sha256) >= 0)
                report("IMAGE_SHA256", "%s", sha256);
        report("MADE", "%llu", (unsigned long long)payload_apply_timestamp(job->apply));
        report("EXPIRES", "%llu", (unsigned long long)payload_apply_expires(job->apply));
        report("VERSION", "%s", version ? version : "");
}

static int on_finish(void *userdata, UpdateFailure *failure)
{
        PayloadError why = {};
        Job *job = userdata;
        int r;

        report("STAGE", "%s", worker_stage_to_string(WORKER_STAGE_VERIFY));
        r = payload_apply_finish(job->apply, &why);
        if (r == -EBADMSG && job->continued > 0) {
                /* Whatever an earlier worker left there, it is not what this one relied on. */
                (void)job_refuse(r, &why, failure);
                return -ESTALE;
        }
        if (r < 0)
                return job_refuse(r, &why, failure);
        r = job_check_version(job, failure);
        if (r < 0)
                return r;

        job_report_facts(job);
        return 0;
}

static void on_end(int error, const UpdateFailure *failure, void *userdata)
{
        Job *job = userdata;

        if (error < 0)
                report_failure(failure);
        else
                report("STAGE", "%s", worker_stage_to_string(WORKER_STAGE_DONE));
        job->exit_status = error < 0 ? EXIT_REFUSED : EXIT_DONE;
        (void)sd_event_exit(job->event, 0); /* fails only in a loop that has ended */
}

/* The file may hold several keys, one after the other. */
static int keys_add(PayloadKeys *keys, const char *pem)
{
        int r;

        for (const char *end; (end = strstr(pem, PEM_END)); pem = end) {
                end += strlen(PEM_END);
                r = payload_keys_add_pem(keys, pem, (size_t)(end - pem));
                if (r < 0)
                        return r;
        }

        return 0;
}

static int job_read_keys(Job *job, UpdateFailure *failure)
{
        _cleanup_free_ char *pem = NULL;
        int r;

        r = payload_keys_new(&job->keys);
        if (r >= 0)
                r = fd_read_all(WORKER_FD_KEYS, WORKER_KEYS_MAX, &pem, NULL);
        if (r >= 0)
                r = keys_add(job->keys, pem);
        if (r >= 0 && payload_keys_count(job->keys) == 0)
                r = -ENOKEY;
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_KEYS,
                                          "the trusted public keys can not be used: %s",
                                          strerror(-r));
        return 0;
}

static int job_read(Job *job, UpdateFailure *failure)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = fd_read_all(STDIN_FILENO, PLAN_TEXT_MAX, &text, NULL);
        if (r >= 0)
                r = update_plan_parse(text, &job->plan);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_GENERIC,
                                          "reading the plan on standard input: %s", strerror(-r));
        return job_read_keys(job, failure);
}

static int on_daemon_gone(sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents,
                          _unused_ void *userdata)
{
        return sd_event_exit(sd_event_source_get_event(source), -EPIPE);
}

static int job_run(Job *job)
{
        const FetchSink sink = {
                .begin = on_begin,
                .announce = on_announce,
                .resume = on_resume,
                .push = on_push,
                .wanted = on_wanted,
                .judge = on_judge,
                .jump = on_jump,
                .finish = on_finish,
                .userdata = job,
        };
        _cleanup_(fetch_file_free_p) FetchFile *file = NULL;
        _cleanup_(fetch_free_p) Fetch *fetch = NULL;
        _cleanup_(http_free_p) Http *http = NULL;
        int r;

        r = sd_event_new(&job->event);
        if (r < 0)
                return r;
        /* Only a pipe tells that its reader is gone; a file, in a test, can not be watched. */
        r = sd_event_add_io(job->event, NULL, STDOUT_FILENO, EPOLLERR, on_daemon_gone, NULL);
        if (r < 0 && r != -EPERM)
                return r;
        r = http_new(job->event, &http);
        if (r < 0)
                return r;
        job->size = job->plan.size;
        if (job->plan.urls.n_items > 0)
                r = fetch_new(job->event, http, &job->plan, &sink, on_end, job, &fetch);
        else
                r = fetch_file_new(job->event, WORKER_FD_PAYLOAD, job->size, &sink, on_end, job,
                                   &file);
        if (r < 0)
                return r;

        report("STAGE", "%s", worker_stage_to_string(WORKER_STAGE_FETCH));
        return sd_event_loop(job->event);
}

static int run(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        _cleanup_(job_done) Job job = { .exit_status = EXIT_REFUSED };
        int r;

        r = job_read(&job, &failure);
        if (r < 0) {
                report_failure(&failure);
                return EXIT_REFUSED;
        }
        r = job_run(&job);
        if (r < 0) {
                (void)update_failure_set(&failure, r, UPDATE_ERROR_GENERIC, "%s", strerror(-r));
                report_failure(&failure);
        }

        return r < 0 ? EXIT_REFUSED : job.exit_status;
}

int main(int argc, char **argv)
{
        static const Program program = {
                .name = "updated-worker",
                .synopsis = "<PLAN 3<>TARGET 4<KEYS [5<PAYLOAD] [6<>KERNEL] [7<>STATE]",
                .summary =
                        "Started by updated: fetches, checks and writes one payload. The plan comes on\n"
                        "standard input, reports go to standard output, the target is file\n"
                        "descriptor 3, the trusted public keys are file descriptor 4. Without an\n"
                        "URL in the plan, file descriptor 5 is the payload; where the plan has room\n"
                        "for a kernel, file descriptor 6 is its file. How far it comes is noted in\n"
                        "file descriptor 7 where the plan says so.",
                .run = run,
        };

        return program_run(&program, argc, argv);
}
