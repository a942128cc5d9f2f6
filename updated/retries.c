#include <limits.h>

#include "base/buffer.h"
#include "retries.h"

#define RETRIES_FORMAT 1
#define ROUNDS_MAX     1000000 /* nobody counts further */
#define DAY            UINT64_C(86400)
#define SPREAD         (6 * UINT64_C(3600))

/* A number and the blank behind it. */
static int number_take(const char **text, uint64_t max, uint64_t *ret)
{
        size_t n = strcspn(*text, " ");
        char number[DECIMAL_MAX] = {};

        if (n == 0 || n >= sizeof(number))
                return -EBADMSG;
        memcpy(number, *text, n);
        if (text_to_u64(number, max, ret) < 0)
                return -EBADMSG;

        *text += n + ((*text)[n] == ' ');
        return 0;
}

int retries_parse(const char *text, Retries *ret)
{
        uint64_t format = 0, failures;
        Retries retries = {};
        int r;

        r = number_take(&text, RETRIES_FORMAT, &format);
        if (r >= 0)
                r = number_take(&text, UINT64_MAX, &retries.offer);
        if (r >= 0)
                r = number_take(&text, ROUNDS_MAX, &retries.rounds);
        if (r >= 0)
                r = number_take(&text, INT64_MAX, &retries.not_before);
        while (*text && r >= 0 && retries.n_urls < OMAHA_URLS_MAX) {
                r = number_take(&text, UINT_MAX, &failures);
                if (r >= 0)
                        retries.failures[retries.n_urls++] = (unsigned)failures;
        }
        if (r < 0 || *text || format != RETRIES_FORMAT)
                return -EBADMSG;

        *ret = retries;
        return 0;
}

int retries_print(const Retries *retries, char **ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(RETRIES_TEXT_MAX);
        int r;

        r = buffer_appendf(&text, "%d %llu %llu %llu", RETRIES_FORMAT,
                           (unsigned long long)retries->offer, (unsigned long long)retries->rounds,
                           (unsigned long long)retries->not_before);
        for (size_t i = 0; i < retries->n_urls && r >= 0; i++)
                r = buffer_appendf(&text, " %u", retries->failures[i]);
        return r < 0 ? r : buffer_take_text(&text, ret, NULL);
}

static uint64_t offer_checksum(const OmahaResponse *response)
{
        uint64_t sum = text_checksum(NULL, 0, 0);

        for (size_t i = 0; i < response->urls.n_items; i++)
                sum = text_checksum(response->urls.items[i], strlen(response->urls.items[i]) + 1,
                                    sum);
        sum = text_checksum((const char *)response->sha256, SHA256_SIZE, sum);
        sum = text_checksum((const char *)&response->packages[0].size,
                            sizeof(response->packages[0].size), sum);
        sum = text_checksum((const char *)&response->failures_per_url,
                            sizeof(response->failures_per_url), sum);
        sum = text_checksum(response->delta ? "d" : "f", 1, sum);
        sum = text_checksum(response->no_backoff ? "n" : "b", 1, sum);
        return MAX_OF(sum, UINT64_C(1));
}

void retries_follow(Retries *retries, const OmahaResponse *response)
{
        uint64_t offer = offer_checksum(response);

        if (retries->offer != offer || retries->n_urls != response->urls.n_items)
                *retries = (Retries) { .offer = offer, .n_urls = response->urls.n_items };
}

bool retries_must_wait(const Retries *retries, const OmahaResponse *response, uint64_t now)
{
        uint64_t latest = now + RETRIES_DAYS_MAX * DAY + SPREAD;

        return !response->no_backoff && !response->delta && retries->not_before > now
               && retries->not_before <= latest;
}

/* A limit of 0 is not taken literally: nothing would ever be fetched. */
static unsigned failures_max(const OmahaResponse *response)
{
        return MAX_OF(response->failures_per_url, 1U);
}

bool retries_gave_up(const Retries *retries, const OmahaResponse *response, size_t url)
{
        return url < retries->n_urls && retries->failures[url] >= failures_max(response);
}

void retries_judge(Retries *retries, const OmahaResponse *response, size_t url, int verdict)
{
        unsigned max = failures_max(response);

        if (url >= retries->n_urls)
                return;
        if (verdict & RETRIES_GOOD)
                retries->failures[url] = 0;
        if (verdict & RETRIES_FAILED && retries->failures[url] < max)
                retries->failures[url]++;
        if (verdict & RETRIES_REFUSED)
                retries->failures[url] = max;
}

bool retries_end(Retries *retries, const OmahaResponse *response, bool whole, uint64_t now,
                 uint64_t chance)
{
        uint64_t days = RETRIES_DAYS_MAX;
        size_t n_left = 0;

        for (size_t i = 0; i < retries->n_urls; i++)
                n_left += !retries_gave_up(retries, response, i);
        if (n_left > 0 && !whole)
                return false;

        memset(retries->failures, 0, sizeof(retries->failures));
        retries->rounds = MIN_OF(retries->rounds + 1, (uint64_t)ROUNDS_MAX);
        if (retries->rounds < 5)
                days = UINT64_C(1) << (retries->rounds - 1);
        retries->not_before = now + days * DAY - SPREAD + chance % (2 * SPREAD + 1);
        return true;
}
