#include "fuzz/fuzz.h"
#include "package-store.h"

/* What was understood is printed, and understood in the same way. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size), *printed = NULL,
                            *again = NULL;
        _cleanup_(package_record_done) PackageRecord record = {}, second = {};

        int r;

        assert(text);
        if (package_record_parse(text, &record) < 0)
                return 0;
        for (size_t i = 0; i < record.n_items; i++) {
                assert(package_word_is_valid(record.items[i].name));
                assert(package_word_is_valid(record.items[i].version));
                assert(*record.items[i].directory == '/');
        }
        r = package_record_print(&record, &printed);
        if (r < 0)
                return 0; /* longer than any file of ours */
        r = package_record_parse(printed, &second);
        assert(r >= 0 && second.n_items == record.n_items);
        r = package_record_print(&second, &again);
        assert(r >= 0 && streq(printed, again));
        return 0;
}
