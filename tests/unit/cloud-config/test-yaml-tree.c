#include "base/buffer.h"
#include "cloud-config/yaml-tree.h"
#include "unit/unit.h"

static void test_scalars_keep_the_text_that_was_written(_unused_ void **state)
{
        static const struct {
                const char *text, *value;
                bool plain;
                unsigned column, width;
        } table[] = {
                { "off", "off", true, 1, 3 },
                { "1.10", "1.10", true, 1, 4 },
                { "0755", "0755", true, 1, 4 },
                { "'off'", "off", false, 1, 5 },
                { "  \"a\\tb\"", "a\tb", false, 3, 6 },
                { "2024-01-01", "2024-01-01", true, 1, 10 },
                { "|\n  a\n  b\n", "a\nb\n", false, 1, 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(findings_done) Findings findings = {};
                _cleanup_(tree_done) Tree tree = {};

                assert_int_equal(
                        tree_parse(table[i].text, strlen(table[i].text), 7, &findings, &tree), 0);
                assert_int_equal(tree.root->type, NODE_SCALAR);
                assert_string_equal(tree.root->text, table[i].value);
                assert_int_equal(tree.root->plain, table[i].plain);
                assert_int_equal(tree.root->place.part, 7);
                assert_int_equal(tree.root->place.column, table[i].column);
                assert_int_equal(tree.root->place.width, table[i].width);
        }
}

static void test_an_alias_is_the_node_that_it_names(_unused_ void **state)
{
        static const char text[] = "a: &x {k: v}\nb: *x\nc: &x second\nd: *x\n";
        _cleanup_(findings_done) Findings findings = {};
        _cleanup_(tree_done) Tree tree = {};
        const Entry *a;

        assert_int_equal(tree_parse(text, strlen(text), 0, &findings, &tree), 0);
        a = tree.root->entries;
        assert_ptr_equal(a->value, a->next->value);
        assert_string_equal(a->next->next->next->value->text, "second");
        assert_null(a->next->next->next->next);
}

static void test_columns_count_characters(_unused_ void **state)
{
        static const char text[] = "\xc3\xa9\xe2\x82\xac: [b]";
        _cleanup_(findings_done) Findings findings = {};
        _cleanup_(tree_done) Tree tree = {};

        assert_int_equal(tree_parse(text, strlen(text), 0, &findings, &tree), 0);
        assert_int_equal(tree.root->entries->value->entries->value->place.column, 6);
}

/* Makes "[", count times item, "]". */
static void list_make(const char *item, unsigned count, char **ret, size_t *ret_size)
{
        Buffer buffer = BUFFER_MAX(2 * MIB);

        assert_int_equal(buffer_append_text(&buffer, "["), 0);
        for (unsigned i = 0; i < count; i++)
                assert_int_equal(buffer_append_text(&buffer, item), 0);
        assert_int_equal(buffer_append_text(&buffer, "]"), 0);
        assert_int_equal(buffer_take_text(&buffer, ret, ret_size), 0);
}

static void test_events_are_limited(_unused_ void **state)
{
        static const struct {
                unsigned count;
                int r;
        } table[] = { { YAML_EVENTS_MAX - 10, 0 }, { YAML_EVENTS_MAX, -EBADMSG } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(findings_done) Findings findings = {};
                _cleanup_(tree_done) Tree tree = {};
                _cleanup_free_ char *text = NULL;
                size_t size;

                list_make("1,", table[i].count, &text, &size);
                assert_int_equal(tree_parse(text, size, 0, &findings, &tree), table[i].r);
                assert_int_equal(findings.n_errors, table[i].r < 0);
        }
}

static void test_depth_is_limited(_unused_ void **state)
{
        for (unsigned extra = 0; extra < 2; extra++) {
                unsigned depth = YAML_DEPTH_MAX + extra;
                _cleanup_(findings_done) Findings findings = {};
                _cleanup_free_ char *text = calloc(1, 2 * depth + 1);
                _cleanup_(tree_done) Tree tree = {};

                assert_non_null(text);
                memset(text, '[', depth);
                memset(text + depth, ']', depth);
                assert_int_equal(tree_parse(text, strlen(text), 0, &findings, &tree),
                                 extra ? -EBADMSG : 0);
        }
}

static void test_an_empty_document_has_no_root(_unused_ void **state)
{
        _cleanup_(findings_done) Findings findings = {};
        _cleanup_(tree_done) Tree tree = {};

        assert_int_equal(tree_parse("# nothing\n", 10, 0, &findings, &tree), 0);
        assert_null(tree.root);
        assert_int_equal(findings.n_items, 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scalars_keep_the_text_that_was_written),
                cmocka_unit_test(test_an_alias_is_the_node_that_it_names),
                cmocka_unit_test(test_columns_count_characters),
                cmocka_unit_test(test_events_are_limited),
                cmocka_unit_test(test_depth_is_limited),
                cmocka_unit_test(test_an_empty_document_has_no_root),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
