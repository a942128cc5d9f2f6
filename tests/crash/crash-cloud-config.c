/* What cloud-config applies: several files that belong together (scenario.h). */
#include "base/conf.h"
#include "base/text.h"
#include "cloud-config/apply.h"
#include "crash/check.h"
#include "crash/scenario.h"

static int cloud_apply(const char *root, const char *group, const char *strategy,
                       const char *endpoint)
{
        _cleanup_(settings_done) Settings settings = {};
        _cleanup_free_ char *why = NULL, *path = NULL;
        _cleanup_(plan_done) Plan plan = {};
        int r;

        CHECK(text_set(&settings.items[KEY_GROUP].value, group) >= 0);
        CHECK(text_set(&settings.items[KEY_REBOOT_STRATEGY].value, strategy) >= 0);
        CHECK(text_set(&settings.items[KEY_ENDPOINT].value, endpoint) >= 0);
        r = plan_make(root, &settings, &plan, &why);
        if (r < 0 || plan_is_empty(&plan))
                return r;
        r = apply_files(root, &plan, true, &path);
        return r < 0 ? r : apply_finish(root, &plan, 0);
}

static void cloud_prepare(const char *root)
{
        scenario_put(root, CONF_PATH, "# mine\nGROUP=stable\n");
        CHECK(cloud_apply(root, "beta", "off", NULL) >= 0);
}

static int cloud_run(const char *root)
{
        return cloud_apply(root, "alpha", "etcd-lock", "http://10.0.0.1:2379");
}

static int cloud_undo(const char *root)
{
        return cloud_apply(root, NULL, NULL, NULL);
}

static void cloud_prepare_more(const char *root)
{
        cloud_prepare(root);
        CHECK(cloud_run(root) >= 0);
}

#define CLOUD_FILES                                       \
        {                                                 \
                CONF_PATH, CONF_DROP_IN, STATE_PATH, NULL \
        }

int main(void)
{
        static const Scenario scenarios[] = {
                { "cloud-config applies a changed document", cloud_prepare, cloud_run, CLOUD_FILES,
                  STATE_PATH, false },
                { "cloud-config takes everything back", cloud_prepare_more, cloud_undo, CLOUD_FILES,
                  STATE_PATH, false },
        };

        return scenarios_run(scenarios, ELEMENTSOF(scenarios));
}
