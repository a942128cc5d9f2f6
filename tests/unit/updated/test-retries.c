#include "retries.h"
#include "unit/unit.h"

#define NOW  UINT64_C(1800000000)
#define DAY  UINT64_C(86400)
#define HOUR UINT64_C(3600)

typedef struct Offer {
        OmahaPackage package;
        char texts[3][16];
        char *urls[3];
        OmahaResponse response;
} Offer;

static void offer_make(Offer *offer)
{
        *offer = (Offer) {
                .package = { .size = 100 },
                .texts = { "http://a/", "http://b/", "http://c/" },
        };
        for (size_t i = 0; i < ELEMENTSOF(offer->urls); i++)
                offer->urls[i] = offer->texts[i];
        offer->response = (OmahaResponse) {
                .urls = { .items = offer->urls, .n_items = ELEMENTSOF(offer->urls) },
                .packages = &offer->package,
                .n_packages = 1,
                .failures_per_url = 3,
        };
}

static void test_what_is_printed_is_parsed(_unused_ void **state)
{
        Retries retries = { .offer = UINT64_MAX, .rounds = 7, .not_before = NOW, .n_urls = 2 },
                again;
        _cleanup_free_ char *text = NULL;

        retries.failures[1] = 5;
        assert_int_equal(retries_print(&retries, &text), 0);
        assert_string_equal(text, "1 18446744073709551615 7 1800000000 0 5");
        assert_int_equal(retries_parse(text, &again), 0);
        assert_memory_equal(&retries, &again, sizeof(again));
}

static void test_anything_else_is_refused(_unused_ void **state)
{
        static const char *const bad[] = {
                "",
                "1",
                "1 2 3",
                "2 2 3 4",
                "1 2 3 4 x",
                "1 2 -3 4",
                "1  2 3 4",
                "1 2 3 9223372036854775808",
                "1 2 3 4 4294967296",
                ("1 2 3 4 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
                 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"),
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Retries retries;

                if (retries_parse(bad[i], &retries) != -EBADMSG)
                        fail_msg("\"%s\"", bad[i]);
        }
}

/* Everything that makes it another offer, one after the other. */
static void test_another_offer_begins_anew(_unused_ void **state)
{
        for (unsigned i = 0; i < 8; i++) {
                Retries retries = {};
                Offer offer;

                offer_make(&offer);
                retries_follow(&retries, &offer.response);
                retries.rounds = 3;
                retries_follow(&retries, &offer.response);
                assert_int_equal(retries.rounds, 3);

                offer.package.size += i == 0;
                offer.response.sha256[31] += i == 1;
                offer.response.delta = i == 2;
                offer.response.no_backoff = i == 3;
                offer.response.failures_per_url += i == 4;
                offer.response.urls.n_items -= i == 5;
                if (i == 6)
                        offer.texts[0][strlen("http://")] = 'x';
                if (i == 7) { /* the same letters, cut elsewhere */
                        memcpy(offer.texts[0], "http://a/h", sizeof("http://a/h"));
                        memcpy(offer.texts[1], "ttp://b/", sizeof("ttp://b/"));
                }
                retries_follow(&retries, &offer.response);
                assert_int_equal(retries.rounds, 0);
        }
}

static void test_an_address_that_fails_too_often_is_given_up(_unused_ void **state)
{
        Retries retries = {};
        Offer offer;

        offer_make(&offer);
        retries_follow(&retries, &offer.response);
        for (unsigned i = 0; i < 3; i++) {
                assert_false(retries_gave_up(&retries, &offer.response, 0));
                retries_judge(&retries, &offer.response, 0, RETRIES_FAILED);
        }
        assert_true(retries_gave_up(&retries, &offer.response, 0));
        for (unsigned i = 0; i < 100; i++) /* some bytes each time: it is slow, and not dead */
                retries_judge(&retries, &offer.response, 1, RETRIES_GOOD | RETRIES_FAILED);
        assert_false(retries_gave_up(&retries, &offer.response, 1));
        retries_judge(&retries, &offer.response, 2, RETRIES_GOOD | RETRIES_REFUSED);
        assert_true(retries_gave_up(&retries, &offer.response, 2));
        retries_judge(&retries, &offer.response, 3, RETRIES_REFUSED); /* there is none */
        assert_false(retries_end(&retries, &offer.response, false, NOW, 0));
        assert_false(retries_must_wait(&retries, &offer.response, NOW));
}

static void test_rounds_are_further_and_further_apart(_unused_ void **state)
{
        static const uint64_t days[] = { 1, 2, 4, 8, 16, 16, 16 };
        Retries retries = {};
        Offer offer;

        offer_make(&offer);
        retries_follow(&retries, &offer.response);
        for (size_t i = 0; i < ELEMENTSOF(days); i++) {
                uint64_t least = NOW + days[i] * DAY - 6 * HOUR;

                for (size_t url = 0; url < 3; url++)
                        retries_judge(&retries, &offer.response, url, RETRIES_REFUSED);
                assert_true(retries_end(&retries, &offer.response, false, NOW, i * 7919 * 7919));
                assert_int_equal(retries.rounds, i + 1);
                assert_in_range(retries.not_before, least, least + 12 * HOUR);
                assert_false(retries_gave_up(&retries, &offer.response, 0));
                assert_true(retries_must_wait(&retries, &offer.response, NOW));
                assert_false(retries_must_wait(&retries, &offer.response, retries.not_before));
        }

        /* Both ends of the spread, and a payload that came and was good. */
        assert_true(retries_end(&retries, &offer.response, true, NOW, 0));
        assert_int_equal(retries.not_before, NOW + 16 * DAY - 6 * HOUR);
        assert_true(retries_end(&retries, &offer.response, true, NOW, 12 * HOUR));
        assert_int_equal(retries.not_before, NOW + 16 * DAY + 6 * HOUR);
}

static void test_who_need_not_wait(_unused_ void **state)
{
        Retries retries = { .not_before = NOW + DAY };
        Offer offer;

        offer_make(&offer);
        assert_true(retries_must_wait(&retries, &offer.response, NOW));
        offer.response.no_backoff = true;
        assert_false(retries_must_wait(&retries, &offer.response, NOW));
        offer.response.no_backoff = false;
        offer.response.delta = true;
        assert_false(retries_must_wait(&retries, &offer.response, NOW));
        offer.response.delta = false;
        retries.not_before = NOW + 17 * DAY; /* the clock was wrong then, or is now */
        assert_false(retries_must_wait(&retries, &offer.response, NOW));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_printed_is_parsed),
                cmocka_unit_test(test_anything_else_is_refused),
                cmocka_unit_test(test_another_offer_begins_anew),
                cmocka_unit_test(test_an_address_that_fails_too_often_is_given_up),
                cmocka_unit_test(test_rounds_are_further_and_further_apart),
                cmocka_unit_test(test_who_need_not_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
