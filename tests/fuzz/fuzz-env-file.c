#include "base/env-file.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = strndup((const char *)data, size);
        EnvFile file = {};

        if (text && env_file_parse("fuzz", text, NULL, NULL, &file) >= 0)
                for (size_t i = 0; i < file.n_entries; i++) {
                        assert(*file.entries[i].key && file.entries[i].line > 0);
                        assert(!strchr(file.entries[i].value, '\n'));
                }

        env_file_done(&file);
        free(text);
        return 0;
}
