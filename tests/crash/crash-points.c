/*
 * A power cut at every moment of a whole update: what is on the media is explored state by state (explore.h).
 */
#include "base/text.h"
#include "crash/check.h"
#include "crash/host.h"
#include "crash/peers.h"
#include "crash/scene.h"
#include "double/boot-loader.h"

#define STATES_MIN    10000
#define CONTINUED_MIN 20 /* of the runs that went on */

/* How much of it: a sample in two minutes, or everything. */
typedef struct Effort {
        unsigned samples, converge, keep, again_samples, again_converge;
} Effort;

static const Effort effort_sample = { 24, 97, 900, 2, 211 };
static const Effort effort_full = { 200, 50, 997, 8, 101 };

static const Effort *effort(void)
{
        return scene_is_full() ? &effort_full : &effort_sample;
}

/* From power on until wanted runs and is good. Returns NULL or what went wrong. */
static char *update_record(const World *world, const Release *wanted)
{
        const Release *running = NULL;
        Session session = {};
        char *why = NULL;

        peers_offer(wanted);
        world_materialize(world, scene_root());
        recorder_begin(scene_root(), NULL);
        scene_know(world);
        for (unsigned boots = 0; boots < HOST_BOOTS_MAX && !(running == wanted && session.good);
             boots++) {
                running = scene_boot();
                if (!running)
                        break;
                host_run(scene_root(), &session);
        }
        recorder_end();
        if (running != wanted || !session.good)
                CHECK(text_format(&why, "the run itself did not end well: %s", session.error) >= 0);
        return why;
}

static void report(const Exploration *exploration, size_t n_records)
{
        printf("# %zu records, %llu states checked; the real code ran on in %llu of them, and in %llu "
               "fell back first and took the next release\n",
               n_records, (unsigned long long)exploration->n_states,
               (unsigned long long)exploration->n_converged,
               (unsigned long long)exploration->n_fallen_back);
}

/* How many of the first records are the boot loader's, which takes a try before anybody else runs. */
static size_t loader_records(const Record *records, size_t n)
{
        size_t i = 0;

        while (i + 1 < n && records[i].kind == RECORD_DATA && records[i].file == WORLD_DISK
               && records[i + 1].kind == RECORD_SYNC_FILE)
                i += 2;
        return i;
}

/*
 * With one copy of the table left, a power cut inside of the boot loader's own write to it leaves none. Nobody
 * but the boot loader can help that: it is taken as done at once then.
 */
static size_t world_skip_loader(World *world, const Record *records, size_t n)
{
        WorldFile *disk = &world->files[WORLD_DISK];
        size_t skipped = loader_records(records, n);
        BootTable table;

        CHECK(boot_table_open(disk->data, disk->size, &table) >= 0);
        if (boot_table_is_twofold(&table))
                return 0;
        explore_replay(world, records, skipped);
        return skipped;
}

/* P2: the recovery from a power cut is cut off as well. */
static uint64_t explore_again(const Exploration *first, char **ret_violation)
{
        uint64_t n_states = 0;

        for (size_t i = 0; i < first->n_kept && !*ret_violation; i++) {
                Exploration again = {
                        .root = scene_root(),
                        .samples = effort()->again_samples,
                        .converge = effort()->again_converge,
                        .wanted = release_get(RELEASE_WANTED),
                        .later = release_get(RELEASE_LATER),
                };
                char *why = update_record(&first->kept[i], release_get(RELEASE_WANTED));
                size_t n, skipped;
                Record *records;

                records = recorder_take(&n);
                free(why); /* that it converges was the business of the first round */
                skipped = world_skip_loader(&first->kept[i], records, n);
                explore(&first->kept[i], records + skipped, n - skipped, &again);
                records_free(records, n);
                n_states += again.n_states;
                *ret_violation = TAKE_PTR(again.violation);
                exploration_done(&again);
        }

        return n_states;
}

/* The disks that an update begins with. */
static const struct {
        const char *name;
        unsigned sector_size;
        int64_t damage; /* a byte that is flipped; from the end when negative; 0: none */
        enum {
                NEVER,
                IN_FULL,
                ALWAYS
        } again; /* recoveries are cut off as well */
        LoaderKind loader;
} disks[] = {
        { "sectors of 512 bytes", 512, 0, ALWAYS, LOADER_GPT },
        { "sectors of 4096 bytes", 4096, 0, ALWAYS, LOADER_GPT },
        { "a damaged primary table", 512, 512 + 20, NEVER, LOADER_GPT },
        { "a damaged backup table", 512, -512 + 20, NEVER, LOADER_GPT },
        { "a damaged primary table, sectors of 4096 bytes", 4096, 8192 + 130, NEVER, LOADER_GPT },
        { "GRUB", 512, 0, ALWAYS, LOADER_GRUB },
        { "systemd-boot", 512, 0, IN_FULL, LOADER_SYSTEMD },
        { "systemd-boot with unified kernel images", 512, 0, IN_FULL, LOADER_UKI },
};

static void world_damage(World *world, int64_t place)
{
        WorldFile *disk = &world->files[WORLD_DISK];

        if (place != 0)
                disk->data[place > 0 ? (size_t)place : disk->size - (size_t)-place] ^= 0xff;
}

static uint64_t update_explore(size_t i)
{
        bool again = disks[i].again == ALWAYS || (disks[i].again == IN_FULL && scene_is_full());
        Exploration exploration = {
                .root = scene_root(),
                .samples = effort()->samples,
                .converge = effort()->converge,
                .keep = again ? effort()->keep : 0,
                .wanted = release_get(RELEASE_WANTED),
                .later = release_get(RELEASE_LATER),
        };
        _cleanup_free_ char *name = NULL, *violation = NULL, *why = NULL;
        uint64_t n_states;
        Record *records;
        World world;
        size_t n;

        host_world(scene_root(), disks[i].sector_size, &world);
        world_damage(&world, disks[i].damage);
        why = update_record(&world, release_get(RELEASE_WANTED));
        records = recorder_take(&n);
        if (!why)
                explore(&world, records, n, &exploration);
        CHECK(text_format(&name, "%s: a power cut at every moment of an update", disks[i].name)
              >= 0);
        scene_case(name, why ? why : exploration.violation);
        report(&exploration, n);
        n_states = exploration.n_states;

        if (again) {
                free(name);
                CHECK(text_format(&name, "%s: a second one while it recovers", disks[i].name) >= 0);
                n_states += explore_again(&exploration, &violation);
                scene_case(name, violation);
                printf("# %zu recoveries, %llu states checked\n", exploration.n_kept,
                       (unsigned long long)(n_states - exploration.n_states));
        }
        exploration_done(&exploration);
        records_free(records, n);
        world_done(&world);
        return n_states;
}

int main(int argc, char **argv)
{
        uint64_t n_states = 0;
        int status;

        scene_begin(argc, argv);
        for (size_t i = 0; i < ELEMENTSOF(disks); i++) {
                loader_use(disks[i].loader);
                n_states += update_explore(i);
        }
        printf("# %llu states checked in all\n", (unsigned long long)n_states);
        scene_case("ten thousand states at least were checked",
                   n_states >= STATES_MIN ? NULL : "fewer");
        printf("# %u runs went on from a checkpoint, %u of them found something else than it promised\n",
               peers_continued(), peers_disappointed());
        scene_case("runs went on from checkpoints, and could rely on them",
                   peers_continued() < CONTINUED_MIN ? "too few"
                   : peers_disappointed() > 0        ? "something was not there"
                                                     : NULL);
        status = scene_finish();
        scene_end();
        return status;
}
