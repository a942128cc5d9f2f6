#include "base/conf.h"
#include "base/io.h"
#include "config.h"
#include "unit/unit.h"

static char *root;

static int set_up(_unused_ void **state)
{
        root = directory_make();
        return 0;
}

static void put(const char *path, const char *text)
{
        file_put(root, path, text);
}

static void test_without_files_there_are_defaults(_unused_ void **state)
{
        _cleanup_(config_done) Config config = {};

        assert_int_equal(config_read(root, &config), 0);
        assert_string_equal(config.server, CONF_SERVER_DEFAULT);
        assert_string_equal(config.group, CONF_GROUP_DEFAULT);
        assert_string_equal(config.machine_alias, "");
        assert_null(config.slots.disk);
        assert_null(config.slots.boot_directory);
        assert_int_equal(config.slots.chooser, BOOT_CHOOSER_AUTO);
        assert_int_equal(config.slots.tries, 1);
        assert_int_equal(config.check_first, 0); /* spread */
        assert_int_equal(config.check_interval, CONFIG_INTERVAL_DEFAULT);
        assert_false(config.downgrade);
        assert_string_equal(config.minimum_version, "");
        assert_false(config_server_is_private(&config));
}

static void test_the_administrator_wins(_unused_ void **state)
{
        _cleanup_(config_done) Config config = {};

        put("/usr/share/coreos/update.conf", "GROUP=alpha\nDISK=/dev/sda\nCHECK_FIRST=1\n");
        put("/usr/share/flatcar/update.conf", "CHECK_FIRST=2s\nCHECK_INTERVAL=3min\n");
        put("/etc/coreos/update.conf", "GROUP=beta\nSERVER=http://a/\nMACHINE_ALIAS='my box'\n");
        put("/etc/flatcar/update.conf", "GROUP=gamma\nREBOOT_STRATEGY=off\nLOCKSMITHD_X=1\n");
        assert_int_equal(config_read(root, &config), 0);
        assert_string_equal(config.group, "beta");
        assert_string_equal(config_origin(&config, "GROUP"), "/etc/coreos/update.conf:1");
        assert_string_equal(config_origin(&config, "CHECK_INTERVAL"),
                            "/usr/share/flatcar/update.conf:2");
        assert_string_equal(config_origin(&config, "WORKER_USER"), "default");
        assert_string_equal(config.server, "http://a/");
        assert_true(config_server_is_private(&config));
        assert_string_equal(config.machine_alias, "my box");
        assert_string_equal(config.slots.disk, "/dev/sda");
        assert_int_equal(config.check_first, 1 * USEC_PER_SEC);
        assert_int_equal(config.check_interval, 3 * USEC_PER_MINUTE);
}

static void test_bad_values_leave_the_value_before(_unused_ void **state)
{
        _cleanup_(config_done) Config config = {};

        put("/usr/share/coreos/update.conf",
            "DOWNGRADE=allow\nMINIMUM_VERSION=7\nSERVER=https://good/\nGROUP=good\nDISK=/good\nCHECK_INTERVAL=7s\nMACHINE_ALIAS=good\n");
        put("/etc/coreos/update.conf",
            "DOWNGRADE=Refuse\nDOWNGRADE=\nMINIMUM_VERSION=1\t2\nSERVER=ftp://x/\nSERVER=nonsense\nSERVER=\nGROUP=\nDISK=relative\nCHECK_INTERVAL=soon\n"
            "CHECK_INTERVAL=0\nCHECK_INTERVAL=-1\nnonsense\nMACHINE_ALIAS=a\tb\nGRUOP=x\n");
        assert_int_equal(config_read(root, &config), 0);
        assert_true(config.downgrade);
        assert_string_equal(config.minimum_version, "7");
        assert_string_equal(config.server, "https://good/");
        assert_string_equal(config.group, "good");
        assert_string_equal(config.slots.disk, "/good");
        assert_string_equal(config.machine_alias, "good");
        assert_int_equal(config.check_interval, 7 * USEC_PER_SEC);
}

static void test_the_boot_chooser_and_its_tries(_unused_ void **state)
{
        _cleanup_(config_done) Config config = {};

        put("/usr/share/coreos/update.conf",
            "BOOT_CHOOSER=gpt\nBOOT_DIRECTORY=/efi\nBOOT_TRIES=9\n");
        put("/etc/coreos/update.conf",
            "BOOT_CHOOSER=lilo\nBOOT_CHOOSER=\nBOOT_DIRECTORY=efi\nBOOT_TRIES=0\nBOOT_TRIES=10\n");
        assert_int_equal(config_read(root, &config), 0);
        assert_int_equal(config.slots.chooser, BOOT_CHOOSER_GPT);
        assert_string_equal(config.slots.boot_directory, "/efi");
        assert_int_equal(config.slots.tries, 9);
        config_done(&config);

        put("/usr/share/coreos/update.conf", "SLOT_A=PARTUUID=1-2\nSLOT_B=PARTLABEL=x\n"
                                             "SLOT_TYPE=5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6\n");
        put("/etc/coreos/update.conf", "SLOT_A=/dev/sda3\nSLOT_B=PARTLABEL=\nSLOT_TYPE=usr\n"
                                       "SLOT_TYPE=5dfbf5f428484bacaa5e0d9a20b745a6\n");
        assert_int_equal(config_read(root, &config), 0);
        assert_string_equal(config.slots.slots[0], "PARTUUID=1-2");
        assert_string_equal(config.slots.slots[1], "PARTLABEL=x");
        assert_string_equal(config.slots.type, "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6");
}

static void test_the_first_check_is_spread_or_as_it_was(_unused_ void **state)
{
        _cleanup_(config_done) Config classic = {}, spread = {};

        put("/etc/coreos/update.conf", "FIRST_CHECK=classic\nFIRST_CHECK=sometimes\n");
        assert_int_equal(config_read(root, &classic), 0);
        assert_int_equal(classic.check_first, CONFIG_FIRST_CLASSIC);
        put("/etc/coreos/update.conf", "CHECK_FIRST=5s\nFIRST_CHECK=spread\n");
        assert_int_equal(config_read(root, &spread), 0);
        assert_int_equal(spread.check_first, 0);
}

static void test_http_settings(_unused_ void **state)
{
        _cleanup_(config_done) Config config = {};

        put("/usr/share/coreos/update.conf",
            "PROXY=http://p:1\nDOWNLOAD_RATE_MAX=5\nNO_PROXY=a,b\nDOWNLOAD_USER=me\n"
            "PINNED_PUBLIC_KEY=sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
            "CLIENT_CERTIFICATE=/c.pem\nCLIENT_KEY=/k.pem\nCA_FILE=/ca.pem\n");
        put("/etc/coreos/update.conf",
            "PROXY=a b\nDOWNLOAD_RATE_MAX=fast\nPINNED_PUBLIC_KEY=sha256//AAAA\n"
            "PINNED_PUBLIC_KEY=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nCA_FILE=ca.pem\n");
        put("/c.pem", "certificate");
        put("/k.pem", "key");
        put("/ca.pem", "ca");
        assert_int_equal(config_read(root, &config), 0);
        assert_string_equal(config.transport.proxy, "http://p:1");
        assert_string_equal(config.transport.no_proxy, "a,b");
        assert_string_equal(config.transport.user, "me");
        assert_int_equal(config.transport.rate_max, 5);
        assert_string_equal(config.transport.pinned_key,
                            "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_string_equal(config.transport.certificate, "certificate");
        assert_string_equal(config.transport.key, "key");
        assert_string_equal(config.transport.ca, "ca\n");
        assert_null(config.transport.broken);
}

static void test_updates_can_be_switched_off(_unused_ void **state)
{
        _cleanup_(config_done) Config config = {};

        put("/etc/coreos/update.conf", "SERVER=disabled\n");
        assert_int_equal(config_read(root, &config), 0);
        assert_null(config.server);
}

static void test_a_directory_in_place_of_a_file_is_no_disaster(_unused_ void **state)
{
        _cleanup_(config_done) Config config = {};

        put("/etc/coreos/update.conf/x", "");
        assert_int_equal(config_read(root, &config), 0);
        assert_string_equal(config.group, CONF_GROUP_DEFAULT);
}

static void test_times(_unused_ void **state)
{
        static const struct {
                const char *text;
                int r;
                usec_t usec;
        } table[] = {
                { "1", 0, USEC_PER_SEC },
                { "90s", 0, 90 * USEC_PER_SEC },
                { "45min", 0, 45 * USEC_PER_MINUTE },
                { "45m", 0, 45 * USEC_PER_MINUTE },
                { "2h", 0, 2 * USEC_PER_HOUR },
                { "30d", 0, 30 * USEC_PER_DAY },
                { "31d", -ERANGE, 0 },
                { "0", -ERANGE, 0 },
                { "99999999999999999999", -ERANGE, 0 },
                { "18446744073709551615h", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "s", -EINVAL, 0 },
                { "-1s", -EINVAL, 0 },
                { "1.5h", -EINVAL, 0 },
                { "1 h", -EINVAL, 0 },
                { "1y", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                usec_t usec = 0;

                if (config_time_parse(table[i].text, &usec) != table[i].r)
                        fail_msg("\"%s\"", table[i].text);
                assert_int_equal(usec, table[i].usec);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_without_files_there_are_defaults, set_up),
                cmocka_unit_test_setup(test_the_administrator_wins, set_up),
                cmocka_unit_test_setup(test_bad_values_leave_the_value_before, set_up),
                cmocka_unit_test_setup(test_the_boot_chooser_and_its_tries, set_up),
                cmocka_unit_test_setup(test_the_first_check_is_spread_or_as_it_was, set_up),
                cmocka_unit_test_setup(test_http_settings, set_up),
                cmocka_unit_test_setup(test_updates_can_be_switched_off, set_up),
                cmocka_unit_test_setup(test_a_directory_in_place_of_a_file_is_no_disaster, set_up),
                cmocka_unit_test(test_times),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
