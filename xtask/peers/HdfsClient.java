import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DistributedFileSystem;

/**
 * Hadoop's own client, which stays: each line of stdin is a command, each answer a line of JSON.
 *
 * <pre>
 * read PATH               the bytes of a file
 * write PATH N            a file of N bytes
 * write-synced PATH N     the same, each block synced to the disks, under another name that is renamed when it is whole
 * list FOLDER             how many there are
 * stat FOLDER N AT_ONCE   FOLDER/000000 …, so many calls at once
 * make FOLDER N           empty files of these names
 * arrive FROM TO AWAITED  renames, and looks until AWAITED is there
 * </pre>
 */
public class HdfsClient {
    private static final int PIECE_BYTES = 1 << 20;
    // Hadoop's own `io.file.buffer.size`.
    private static final int BUFFER_BYTES = 4096;
    private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(180);

    public static void main(String[] arguments) throws Exception {
        FileSystem fs = FileSystem.get(new Configuration());
        var cpu = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            long cpuBefore = cpu.getProcessCpuTime();
            long begin = System.nanoTime();
            long n = obey(fs, words);
            double wall = (System.nanoTime() - begin) / 1e9;
            double used = (cpu.getProcessCpuTime() - cpuBefore) / 1e9;
            System.out.println("{\"n\": " + n + ", \"wall_seconds\": " + wall + ", \"cpu_seconds\": " + used + "}");
        }
    }

    private static long obey(FileSystem fs, String[] words) throws Exception {
        Path path = new Path(words[1]);
        switch (words[0]) {
            case "read": {
                long n = 0;
                byte[] piece = new byte[PIECE_BYTES];
                try (FSDataInputStream in = fs.open(path)) {
                    for (int read = in.read(piece); read >= 0; read = in.read(piece)) {
                        n += read;
                    }
                }
                return n;
            }
            case "write": {
                try (OutputStream out = fs.create(path, true)) {
                    return fill(out, Long.parseLong(words[2]));
                }
            }
            case "write-synced": {
                Path hidden = new Path(path.getParent(), "." + path.getName() + ".tmp");
                EnumSet<CreateFlag> flags = EnumSet.of(CreateFlag.CREATE, CreateFlag.OVERWRITE, CreateFlag.SYNC_BLOCK);
                long size;
                try (OutputStream out = fs.create(hidden, FsPermission.getFileDefault(), flags, BUFFER_BYTES,
                        fs.getDefaultReplication(path), fs.getDefaultBlockSize(path), null)) {
                    size = fill(out, Long.parseLong(words[2]));
                }
                ((DistributedFileSystem) fs).rename(hidden, path, Options.Rename.OVERWRITE);
                return size;
            }
            case "list":
                return fs.listStatus(path).length;
            case "stat": {
                int n = Integer.parseInt(words[2]);
                int atOnce = Integer.parseInt(words[3]);
                if (atOnce == 1) {
                    for (int i = 0; i < n; i++) {
                        fs.getFileStatus(new Path(path, String.format("%06d", i)));
                    }
                    return n;
                }
                ExecutorService threads = Executors.newFixedThreadPool(atOnce);
                List<Future<?>> asked = new ArrayList<>();
                for (int i = 0; i < n; i++) {
                    Path file = new Path(path, String.format("%06d", i));
                    asked.add(threads.submit(() -> fs.getFileStatus(file)));
                }
                for (Future<?> answer : asked) {
                    answer.get();
                }
                threads.shutdown();
                return n;
            }
            case "make": {
                int n = Integer.parseInt(words[2]);
                for (int i = 0; i < n; i++) {
                    fs.create(new Path(path, String.format("%06d", i)), true).close();
                }
                return n;
            }
            case "arrive":
                return arrive(fs, path, new Path(words[2]), new Path(words[3]));
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private static long fill(OutputStream out, long size) throws IOException {
        byte[] piece = new byte[PIECE_BYTES];
        for (int i = 0; i < piece.length; i++) {
            piece[i] = (byte) (i * 31 >> 3);
        }
        for (long left = size; left > 0; left -= piece.length) {
            out.write(piece, 0, (int) Math.min(left, piece.length));
        }
        return size;
    }

    private static long arrive(FileSystem fs, Path from, Path to, Path awaited) throws Exception {
        long begin = System.nanoTime();
        if (!fs.rename(from, to)) {
            throw new IllegalStateException("cannot rename " + from);
        }
        while (System.nanoTime() - begin < DEADLINE_NANOS) {
            try {
                fs.getFileStatus(awaited);
                return 1;
            } catch (FileNotFoundException notYet) {
                Thread.sleep(1);
            }
        }
        throw new IllegalStateException("has not come: " + awaited);
    }
}
