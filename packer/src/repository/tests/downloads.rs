//! Downloads over a connection that breaks off, and servers that do not do as they are asked.

use super::super::Yanked;
use super::server::{Mood, Server};
use super::*;

struct Scene {
    site: Site,
    server: Server,
    reader: Repository,
}

impl Scene {
    async fn new(mood: Mood) -> Self {
        let site = Site::with(&["1.0.0"]);
        let server = Server::start(site.tree(), mood).await;
        let mut reader = site.reader_of(&server.address());
        reader.refresh().await.unwrap();
        server.forget();
        Self { site, server, reader }
    }

    async fn download(&self) -> Result<(), Error> {
        let (offer, to) = (offer(&self.reader, "1.0.0"), self.site.path("downloads/hello.bundle"));
        let file = self.reader.fetch(&offer, Yanked::Refused, &to).await?;
        assert_eq!(file.digest(), offer.target.digest);
        assert!(fs::read(file.path()).unwrap() == fs::read(self.site.published("1.0.0")).unwrap());
        Ok(())
    }
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let scene = Scene::new(Mood::CutAfter(100_000)).await;
    scene.download().await.unwrap();
    assert_eq!(scene.server.ranges(), ["", "bytes=100000-", "bytes=200000-", "bytes=300000-"]);
    scene.download().await.unwrap();
    assert_eq!(scene.server.ranges().len(), 4, "what is there is not fetched again");
}

#[tokio::test]
async fn a_download_goes_on_in_the_next_process() {
    let scene = Scene::new(Mood::CutAfter(10_000)).await;
    let error = scene.download().await.unwrap_err();
    assert!(matches!(error, Error::BrokenOff { bytes: 40_000, .. }), "{error:?}");
    scene.server.cheer_up();
    scene.download().await.unwrap();
    assert_eq!(scene.server.ranges().last().unwrap(), "bytes=40000-");
    assert_eq!(files_in(&scene.site.path("downloads")).len(), 1);
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_is_asked_for_all_of_it() {
    let scene = Scene::new(Mood::CutAfter(10_000)).await;
    scene.download().await.unwrap_err();
    scene.server.set(Mood::NoRanges);
    scene.download().await.unwrap();
}

#[tokio::test]
async fn what_was_kept_and_is_damaged_is_fetched_again() {
    let scene = Scene::new(Mood::CutAfter(10_000)).await;
    scene.download().await.unwrap_err();
    let downloads = scene.site.path("downloads");
    let part = fs::read_dir(&downloads).unwrap().next().unwrap().unwrap().path();
    fs::write(&part, vec![0; 40_000]).unwrap();
    scene.server.cheer_up();
    scene.download().await.unwrap();
}
