#include "cloud-config/user-data.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(user_data_done) UserData user_data = {};
        _cleanup_(findings_done) Findings findings = {};

        assert(user_data_parse((const char *)data, size, &findings, &user_data) == 0);
        assert(user_data.n_parts <= USER_DATA_PARTS_MAX);
        assert(user_data.n_parts > 0 || findings.n_errors > 0);
        for (size_t i = 0; i < user_data.n_parts; i++) {
                const Part *part = &user_data.parts[i];

                assert(part->size <= USER_DATA_MAX);
                if (part->kind == PART_CLOUD_CONFIG)
                        assert(part->text && part->text[part->size] == 0);
        }
        return 0;
}
