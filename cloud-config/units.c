#include "cloud-config/units.h"
#include "base/bus.h"
#include "base/time-util.h"
#include "cloud-config/plan.h"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE "org.freedesktop.systemd1.Manager"
#define JOB_MODE          "replace"

/* The steps in the order in which they happen. */
static const struct {
        unsigned step;
        const char *action;
        const char *method;
        const char *unit;  /* NULL: the call takes none, and makes no job */
        const char *other; /* its name where there is no such unit, or NULL */
} step_table[] = {
        { STEP_RELOAD, "reload", "Reload", NULL, NULL },
        { STEP_STOP_LOCKSMITHD, "stop", "StopUnit", LOCKSMITHD_UNIT, NULL },
        { STEP_RESTART_LOCKSMITHD, "restart", "RestartUnit", LOCKSMITHD_UNIT, NULL },
        { STEP_RESTART_ENGINE, "restart", "RestartUnit", UPDATED_UNIT, UPDATE_ENGINE_UNIT },
};

/* The job that is waited for. */
typedef struct Job {
        char *path;   /* owned; NULL: none */
        char *result; /* owned; set when it was removed: "done", "failed", … */
} Job;

static void job_done(Job *job)
{
        free(job->path);
        free(job->result);
        *job = (Job) {};
}

static int on_job_removed(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        const char *path, *unit, *result;
        Job *job = userdata;
        uint32_t id;
        int r;

        r = sd_bus_message_read(message, "uoss", &id, &path, &unit, &result);
        if (r < 0)
                return r;
        if (!job->path || !streq(job->path, path))
                return 0;

        free(job->result);
        job->result = strdup(result);
        return job->result ? 0 : -ENOMEM;
}

/* Processes the bus until the job is gone. Returns 0 when it went well. */
static int job_wait(sd_bus *bus, Job *job, const char **ret_problem)
{
        usec_t end = now_boottime() + UNITS_JOB_TIMEOUT_SEC * USEC_PER_SEC;
        int r;

        while (!job->result) {
                usec_t now = now_boottime();

                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (now >= end)
                        return -ETIMEDOUT;
                r = sd_bus_wait(bus, end - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }

        if (streq(job->result, "done") || streq(job->result, "skipped"))
                return 0;
        *ret_problem = job->result;
        return -EIO;
}

static bool is_missing(const sd_bus_error *error)
{
        return sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit");
}

/* That a unit does not exist, or must not run, is no failure. */
static bool is_harmless(const sd_bus_error *error)
{
        return is_missing(error)
               || sd_bus_error_has_name(error, "org.freedesktop.systemd1.LoadFailed")
               || sd_bus_error_has_name(error, "org.freedesktop.systemd1.UnitMasked");
}

static int step_call(sd_bus *bus, const char *method, const char *unit, sd_bus_error *error,
                     sd_bus_message **ret)
{
        if (unit)
                return sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                          method, error, ret, "ss", unit, JOB_MODE);
        return sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, method, error,
                                  ret, NULL);
}

/* Waits for the job that systemd has answered with. */
static int step_wait(sd_bus *bus, sd_bus_message *reply, Job *job, const char **ret_problem)
{
        const char *path;
        int r;

        job_done(job);
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        job->path = strdup(path);
        if (!job->path)
                return -ENOMEM;

        return job_wait(bus, job, ret_problem);
}

static int step_run(sd_bus *bus, size_t i, bool wait, Job *job, UnitsReport report, void *userdata)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *action = step_table[i].action, *unit = step_table[i].unit, *problem = NULL;
        int r;

        r = step_call(bus, step_table[i].method, unit, &error, &reply);
        if (is_missing(&error) && step_table[i].other) {
                unit = step_table[i].other;
                sd_bus_error_free(&error);
                r = step_call(bus, step_table[i].method, unit, &error, &reply);
        }
        if (r < 0) {
                report(action, unit, bus_error_text(&error, r), userdata);
                return is_harmless(&error) ? 0 : r;
        }

        r = unit && wait ? step_wait(bus, reply, job, &problem) : 0;
        report(action, unit, problem ? problem : r < 0 ? strerror(-r) : NULL, userdata);
        return r;
}

static int systemd_open(Job *job, sd_bus **ret)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = bus_open(NULL, &bus);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                "JobRemoved", on_job_removed, job);
        if (r < 0)
                return r;

        /* Without it systemd sends no signals. */
        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, "Subscribe",
                               NULL, NULL, NULL);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

int units_run(unsigned steps, bool wait, UnitsReport report, void *userdata, unsigned *ret_pending)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(job_done) Job job = {};
        int r, failed = 0;

        *ret_pending = steps;
        if (steps == 0)
                return 0;

        r = systemd_open(&job, &bus);
        if (r < 0) {
                report("reach", "systemd", strerror(-r), userdata);
                return r;
        }

        for (size_t i = 0; i < ELEMENTSOF(step_table); i++) {
                if (!(steps & step_table[i].step))
                        continue;
                r = step_run(bus, i, wait, &job, report, userdata);
                if (r >= 0)
                        *ret_pending &= ~step_table[i].step;
                else if (failed == 0)
                        failed = r;
        }

        return failed;
}

void units_list(unsigned steps, UnitsReport report, void *userdata)
{
        for (size_t i = 0; i < ELEMENTSOF(step_table); i++)
                if (steps & step_table[i].step)
                        report(step_table[i].action, step_table[i].unit, NULL, userdata);
}
