#include <assert.h>

#include "bls.h"
#include "fuzz/fuzz.h"

/* The first line is a name, the rest an entry. What is changed for the other slot is an entry again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const BlsChange change = { "/k", "2", "1-2", "3-4", "USR-A", "USR-B" };
        char *text = strndup((const char *)data, MIN_OF(size, (size_t)BLS_ENTRY_MAX)), *rest = text,
             *name, *changed = NULL, *copy, *again = NULL;
        BlsEntry entry = {};
        BlsName parsed, same;

        name = text ? strsep(&rest, "\n") : NULL;
        if (name && bls_name_parse(name, &parsed) == 0) {
                assert(parsed.stem <= strlen(name));
                assert(bls_name_print(name, &parsed, &again) == 0);
                assert(bls_name_parse(again, &same) == 0 && same.slot == parsed.slot);
                assert(same.left == parsed.left && same.done == parsed.done);
                free(again);
        }
        if (rest && bls_entry_change(rest, &change, &changed) == 0) {
                copy = strdup(rest);
                if (copy && bls_entry_parse(copy, &entry) == 0) {
                        bls_entry_done(&entry);
                        assert(bls_entry_parse(changed, &entry) == 0);
                        assert(entry.kernel[0] == '/' && entry.version[0] == '2');
                        (void)bls_version_compare(name, entry.version);
                }
                free(copy);
        }
        bls_entry_done(&entry);
        free(changed);
        free(text);
        return 0;
}
