/* What an attempt remembers of its offer for the next one, and what it heeds of that. */
#include <sys/random.h>
#include <time.h>

#include "attempt-stages.h"
#include "base/log.h"
#include "base/text.h"

#define WHEN_MAX 32

static bool attempt_is_offered(const Attempt *attempt)
{
        return attempt->kind == ATTEMPT_SCHEDULED || attempt->kind == ATTEMPT_ON_DEMAND;
}

static uint64_t attempt_clock(void)
{
        return now_realtime() / USEC_PER_SEC;
}

/* What can not be read is as good as nothing: then all addresses are tried, and at once. */
static void attempt_read_retries(Attempt *attempt)
{
        const char *text = attempt->context.state->retries;

        if (!text || retries_parse(text, &attempt->retries) < 0)
                attempt->retries = (Retries) {};
        retries_follow(&attempt->retries, &attempt->response);
}

/* Addresses that were given up are left out; the plan's index of the others is kept. */
static int attempt_choose_urls(Attempt *attempt)
{
        _cleanup_(text_list_done) TextList all = attempt->plan.urls;
        size_t n = 0;
        int r = 0;

        attempt->plan.urls = (TextList) {};
        for (size_t i = 0; i < all.n_items && r >= 0; i++) {
                if (retries_gave_up(&attempt->retries, &attempt->response, i))
                        continue;
                attempt->url_numbers[n++] = i;
                r = text_list_add(&attempt->plan.urls, all.items[i]);
        }
        return r;
}

/* The server is told, as the original engine does. last_error stays: it says why the payload is put off. */
static int attempt_put_off(Attempt *attempt)
{
        const UpdateFailure deferred = { .code = UPDATE_ERROR_BACKOFF };
        time_t when = (time_t)attempt->retries.not_before;
        char text[WHEN_MAX] = "";
        struct tm local;
        int r;

        if (localtime_r(&when, &local))
                (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &local);
        r = text_format(&attempt->reason,
                        "version %s failed %llu times and is put off until %s; "
                        "\"update-engine-client update\" tries it now",
                        *attempt->plan.version ? attempt->plan.version : "(not named)",
                        (unsigned long long)attempt->retries.rounds, text);
        if (r < 0)
                return r;

        attempt->put_off = true;
        attempt_report_failure(attempt, OMAHA_RESULT_DEFERRED, &deferred);
        return 1;
}

int attempt_heed_retries(Attempt *attempt)
{
        attempt_read_retries(attempt);
        if (attempt->kind == ATTEMPT_SCHEDULED && attempt->context.config->metered) {
                int r = text_format(&attempt->reason,
                                    "version %s is there, and update.conf says METERED=yes; "
                                    "\"update-engine-client update\" fetches it",
                                    *attempt->plan.version ? attempt->plan.version : "(not named)");

                return r < 0 ? r : 1;
        }
        if (attempt->kind == ATTEMPT_SCHEDULED
            && retries_must_wait(&attempt->retries, &attempt->response, attempt_clock()))
                return attempt_put_off(attempt);

        return attempt_choose_urls(attempt);
}

static void attempt_save_retries(Attempt *attempt)
{
        State *state = attempt->context.state;
        char *text = NULL;
        int r;

        r = retries_print(&attempt->retries, &text);
        if (r >= 0) {
                free(state->retries);
                state->retries = text;
                r = state_write(attempt->context.root, state);
        }
        if (r < 0)
                (void)log_warning_errno(r, STATE_PATH " can not be written: %m");
}

void attempt_judge_urls(Attempt *attempt, const WorkerFacts *facts)
{
        if (!attempt_is_offered(attempt))
                return;
        for (size_t i = 0; i < attempt->plan.urls.n_items; i++)
                retries_judge(&attempt->retries, &attempt->response, attempt->url_numbers[i],
                              facts->urls[i]);
        attempt->judged = true;
}

/*
 * Everything came and was good, and still there is no update: the same bytes would lead to the same end. Packages are
 * another matter: what is there of the payload is not fetched again for them.
 */
static bool failure_is_behind_payload(const Attempt *attempt)
{
        static const UpdateErrorCode codes[] = {
                UPDATE_ERROR_ACTIVATE,
                UPDATE_ERROR_POLICY,
                UPDATE_ERROR_POSTINST,
                UPDATE_ERROR_POSTINST_FIRMWARE,
        };

        if (attempt->failure.code == UPDATE_ERROR_TARGET_CONTENT)
                return true;
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                if (attempt->failure.code == codes[i])
                        return attempt->whole;
        return false;
}

void attempt_note_retries(Attempt *attempt)
{
        uint64_t chance;

        if (!attempt->judged || attempt->failure.code == UPDATE_ERROR_CANCELLED)
                return;
        if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
                chance = now_boottime(); /* early boot: still different on each host */
        attempt->round_ended =
                retries_end(&attempt->retries, &attempt->response,
                            failure_is_behind_payload(attempt), attempt_clock(), chance);
        attempt_save_retries(attempt);
}
