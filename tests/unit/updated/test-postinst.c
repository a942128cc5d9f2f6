#include "base/io.h"
#include "postinst.h"
#include "unit/unit.h"

static const char *const variables[] = { "ALL_PROXY",   "all_proxy",   "HTTP_PROXY", "http_proxy",
                                         "HTTPS_PROXY", "https_proxy", "NO_PROXY",   "no_proxy" };

static char *environment_text(const Transport *transport)
{
        _cleanup_(text_list_done) TextList list = {};
        char *text = strdup("");

        assert_int_equal(proxy_environment(transport, &list), 0);
        for (size_t i = 0; i < list.n_items; i++) {
                _cleanup_free_ char *before = text;

                assert_return_code(text_format(&text, "%s%s ", before, list.items[i]), 0);
        }
        return text;
}

static void test_proxies_are_handed_on_in_both_spellings(_unused_ void **state)
{
        static const struct {
                const char *own[2]; /* NAME, value: our environment */
                const char *proxy, *no_proxy;
                const char *handed_on;
        } table[] = {
                { { NULL, NULL }, NULL, NULL, "" },
                { { "http_proxy", "h" }, NULL, NULL, "http_proxy=h HTTP_PROXY=h " },
                { { "ALL_PROXY", "a" }, NULL, NULL, "all_proxy=a ALL_PROXY=a " },
                { { "NO_PROXY", "n" }, NULL, NULL, "no_proxy=n NO_PROXY=n " },
                { { "http_proxy", "h" },
                  "p",
                  NULL,
                  "all_proxy=p ALL_PROXY=p http_proxy=p HTTP_PROXY=p https_proxy=p HTTPS_PROXY=p " },
                { { "http_proxy", "h" }, "", "n", "no_proxy=n NO_PROXY=n " },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const Transport transport = { .proxy = (char *)table[i].proxy,
                                              .no_proxy = (char *)table[i].no_proxy };
                _cleanup_free_ char *text = NULL;

                for (size_t k = 0; k < ELEMENTSOF(variables); k++)
                        assert_int_equal(unsetenv(variables[k]), 0);
                if (table[i].own[0])
                        assert_int_equal(setenv(table[i].own[0], table[i].own[1], 1), 0);
                text = environment_text(&transport);
                assert_string_equal(text, table[i].handed_on);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_proxies_are_handed_on_in_both_spellings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
